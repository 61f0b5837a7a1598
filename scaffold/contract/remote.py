"""An app somewhere else: what can be tried over HTTP alone, and what that leaves out."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, NoReturn

from scaffold.contract.client import Answer, Broken, Client, NotTried
from scaffold.contract.target import API, Person, Target
from scaffold.server import Server

# Longer than any quota of a minute takes to come back.
LONGEST_WAIT = 90
LONGEST_HOLD = 300
SLOW = (
    "The app's own limits slow this run down; "
    "raise RATE_LIMIT and RATE_LIMIT_AUTH of the app under test to be quick."
)


def needs(what: str) -> NoReturn:
    raise NotTried(f"needs {what}")


@dataclass(frozen=True)
class Remote:
    """An operator who can only tell what he was told; all else is not tried."""

    base: str
    public_url: str
    mail_dir: Path | None = None
    cors: str = ""
    metrics: str = ""

    @property
    def cors_origin(self) -> str:
        return self.cors or needs("--cors-origin, one of the app's CORS_ORIGINS")

    @property
    def metrics_token(self) -> str:
        return self.metrics or needs("--metrics-token, the app's METRICS_TOKEN")

    @property
    def client_address(self) -> str:
        needs("to know where the app takes us to come from")

    @property
    def valkey(self) -> bool:
        # Whoever looks at readiness holds the rest of it to the contract.
        found = Client(self.base).get("/readyz").json()
        return "valkey" in found.get("checks", {})

    @property
    def mails(self) -> Path:
        return self.mail_dir or needs("--mail-dir, the directory of the app's MAIL_URL=file:…")

    @property
    def directory(self) -> Path:
        needs("the app's files")

    @property
    def database_url(self) -> str:
        needs("the database")

    @property
    def dead_database(self) -> str:
        needs("to restart the app")

    def promote(self, _email: str) -> None:
        needs("--admin-token")

    def boot(self, **_settings: str) -> Target:
        needs("to restart the app with other settings")

    def start(self, **_settings: str) -> Server:
        needs("to start the app")

    def sql(self, _statement: str, *_values: str) -> list[tuple[Any, ...]]:
        needs("the database")

    def log(self) -> str:
        needs("the app's log")


@dataclass
class Patience:
    """Waits where the app's limits say so, and tells once that they do."""

    say: Callable[[str], None]
    waits: int = 0
    _full_in: dict[str, int] = field(default_factory=dict)
    _held_since: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, answer: Answer) -> None:
        """Note when each quota is whole again."""
        match = re.fullmatch(r'"(\w+)";r=\d+;t=(\d+)', answer.header("RateLimit") or "")
        if match:
            self._full_in[match[1]] = int(match[2])

    def again(self, answer: Answer) -> bool:
        """Whether a request was only held up; waits as long as the answer says."""
        if answer.status != 429 or (answer.body and b"/problems/rate-limited" not in answer.body):
            self._held_since = None
            return False
        with self._lock:
            self.waits += 1
            if self.waits == 1:
                self.say(SLOW)
            now = time.monotonic()
            self._held_since = self._held_since or now
            held = now - self._held_since
        wait = int(answer.header("Retry-After") or 1)
        if wait > LONGEST_WAIT:
            raise NotTried(f"needs higher limits: this one would have us wait for {wait} s")
        if held > LONGEST_HOLD:
            raise Broken(f"{answer} although we waited as told for {held:.0f} s")
        time.sleep(max(wait, 1))
        return True

    def rest(self) -> None:
        """Wait until the quotas are whole again, or nearly so."""
        time.sleep(min(max(self._full_in.values(), default=0), LONGEST_WAIT))


@dataclass(frozen=True)
class RemoteTarget(Target):
    """A target that takes back the rights it gave."""

    made: list[Person] = field(default_factory=list)

    def hand_over(self, admin: Person) -> None:
        """Let an admin make the others."""
        self._first_admin.append(admin)

    def admin(self) -> Person:
        if not self._first_admin:
            needs("--admin-token")
        person = self.person("Root")
        # Before it is true: an interrupt may come right behind it.
        self.made.append(person)
        path = f"{API}/users/{person.id}"
        self._first_admin[0].client.patch(path, {"role": "admin"}).expect(200)
        return self.enter(person.email, person.password)

    def demote(self) -> list[str]:
        """Leave no admin behind whom nobody knows; returns the addresses of those still there."""
        left = []
        for person in self.made:
            path = f"{API}/users/{person.id}"
            try:
                client = self._first_admin[0].client
                client.patch(path, {"role": "user", "disabled": True}).expect(200)
            except (OSError, HTTPException, Broken, NotTried):
                left.append(person.email)
        return left
