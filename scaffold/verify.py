"""The contract's checks, run against an app that somebody else runs."""

from __future__ import annotations

import http.client
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from scaffold.contract.checks import Check, checks
from scaffold.contract.client import Broken, Client, NotTried
from scaffold.contract.remote import Patience, Remote, RemoteTarget
from scaffold.contract.report import BROKEN, KEPT, NOT_TRIED, Outcome, Report
from scaffold.contract.target import API, Person, Target
from scaffold.errors import AppAway, ReportLost, TokenRefused, UrlUnusable

Tell = Callable[[str], None]


# They wait for the app to lose its patience: begun first, looked at in their turn.
WAITING = ("slow_headers", "slow_bodies")


def silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Asked:
    """What the command was told."""

    url: str
    public_url: str | None
    mail_dir: Path | None
    cors_origin: str
    metrics_token: str
    admin_token: str
    chapters: Sequence[int]
    wait: float

    def remote(self) -> Remote:
        base = origin(self.url)
        public = origin(self.public_url) if self.public_url else base
        return Remote(base, public, self.mail_dir, self.cors_origin, self.metrics_token)


def verify(asked: Asked, say: Tell = silent, progress: Tell = silent) -> Report:
    """Try every promise that can be tried; `say` is for sentences, `progress` for where we are."""
    remote, patience = asked.remote(), Patience(say)
    reach(remote.base, asked.wait)
    target = RemoteTarget(remote.base, remote, patience.observe, patience.again)
    if asked.admin_token:
        target.hand_over(admin(target, asked.admin_token))
    selected = select(set(asked.chapters))
    begin, outcomes = time.monotonic(), []
    pool = ThreadPoolExecutor(len(WAITING))
    try:
        begun = {
            check.name: pool.submit(attempt, check, target)
            for check in selected
            if check.name in WAITING
        }
        for number, check in enumerate(selected, 1):
            progress(f"{number}/{len(selected)} {check.promise}")
            known = begun.get(check.name)
            outcomes.append(known.result() if known else patient(check, target, patience))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        progress("")
        if left := target.demote():
            say(f"Admins made for this run could not be disabled: {', '.join(left)}.")
    return Report(remote.base, outcomes, time.monotonic() - begin)


def select(chapters: set[int]) -> list[Check]:
    """The checks of these chapters, or all, chapter by chapter."""
    found = [check for check in checks().values() if not chapters or check.chapter in chapters]
    return sorted(found, key=lambda check: check.chapter)


def origin(url: str) -> str:
    """The URL without a slash at the end; UrlUnusable when it is more, or less, than an origin."""
    try:
        parts = urlsplit(url)
        is_origin = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_origin = False
    if not is_origin or parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise UrlUnusable(url)
    return f"{parts.scheme}://{parts.netloc}"


def reach(base: str, wait: float) -> None:
    """Find somebody who speaks HTTP there within `wait` seconds, or raise AppAway."""
    end = time.monotonic() + wait
    while True:
        try:
            Client(base).get("/healthz")
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() >= end:
                raise AppAway(base, error) from error
            time.sleep(0.2)
        else:
            return


def admin(target: Target, token: str) -> Person:
    """Whoever the token belongs to; TokenRefused when she is no admin."""
    client = target.client(token)
    answer = client.get(f"{API}/users/me")
    user = answer.json() if answer.status == 200 else {}
    if user.get("role") != "admin":
        raise TokenRefused(answer.status)
    return Person(user["email"], "", client, user)


def patient(check: Check, target: Target, patience: Patience) -> Outcome:
    """Try a promise; once more, and rested, when limits may have got in the way."""
    waits = patience.waits
    outcome = attempt(check, target)
    if outcome.result == BROKEN and (patience.waits > waits or "rate-limited" in outcome.reason):
        patience.rest()
        outcome = attempt(check, target)
    return outcome


def attempt(check: Check, target: Target) -> Outcome:
    """Run a check; whatever it stumbles over is the app's fault."""
    begin = time.monotonic()
    result, reason = KEPT, ""
    try:
        check.run(target)
    except NotTried as error:
        result, reason = NOT_TRIED, str(error)
    except Broken as error:
        result, reason = BROKEN, str(error)
    except Exception as error:
        # An answer of another shape than the check could take apart, or none at all.
        result, reason = BROKEN, f"not the answer that was expected: {error!r}"
    return Outcome(check, result, reason, time.monotonic() - begin)


def on_terminal() -> Tell:
    """One line on stderr that is written over, for a terminal; else nothing."""
    if not sys.stderr.isatty():
        return silent

    def show(where: str) -> None:
        room = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{where[:room]}", end="", file=sys.stderr, flush=True)

    return show


def write(path: Path, text: str) -> None:
    """Store a report, or raise ReportLost."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportLost(path, error) from error
