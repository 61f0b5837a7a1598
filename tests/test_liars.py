"""Servers that are no such app: whoever lies the same way every time passes next to nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from liars import Shape, liar

from scaffold.contract.checks import checks
from scaffold.contract.problems import PROBLEMS
from scaffold.contract.remote import Remote
from scaffold.contract.report import BROKEN, KEPT
from scaffold.contract.target import Person, Target
from scaffold.verify import attempt

# Everything anybody could ask for in one document.
SOME = "01920000-0000-7000-8000-000000000000"
NOTE = {"id": SOME, "title": "A note", "body": "", "tags": []}
TIMES = {"created_at": "2026-01-01T00:00:00.000000Z", "updated_at": "2026-01-01T00:00:00.000000Z"}
USER: dict[str, Any] = {
    "id": SOME,
    "email": "a@example.com",
    "name": "Ada Lovelace",
    "role": "user",
}
USER |= {"email_verified": False, "totp_enabled": False, "disabled": False}
PLAUSIBLE: dict[str, Any] = {"status": "ok", "checks": {"database": "ok"}}
PLAUSIBLE |= {"items": [], "next": None}
PLAUSIBLE |= {"token": "x" * 43, "expires_at": "2030-01-01T00:00:00.000000Z", "user": USER | TIMES}
PLAUSIBLE |= NOTE | USER | TIMES
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "ETag": '"1"',
    "Location": f"/api/v1/notes/{SOME}",
    "X-Request-Id": "liar-liar",
}


def problem(name: str) -> Shape:
    status, title, detail = PROBLEMS[name]
    body = {"type": f"/problems/{name}", "title": title, "status": status, "detail": detail or ""}
    body |= {"instance": "/", "request_id": "liar-liar"}
    headers = HEADERS | {"WWW-Authenticate": "Bearer"}
    return Shape(status, body, headers, "application/problem+json")


def echo(request: BaseHTTPRequestHandler, sent: bytes) -> tuple[int, str, bytes]:
    """What was sent, as if it had been stored."""
    try:
        given = json.loads(sent)
    except ValueError:
        given = {}
    told = PLAUSIBLE | (given if isinstance(given, dict) else {})
    status = {"POST": 201, "DELETE": 204}.get(request.command, 200)
    return status, "application/json", b"" if status == 204 else json.dumps(told).encode()


Answers = Callable[[BaseHTTPRequestHandler, bytes], tuple[int, str, bytes]]
LIARS: dict[str, tuple[Shape, Answers | None]] = {
    "always 200": (Shape(200, PLAUSIBLE, HEADERS), None),
    "always 401": (problem("unauthenticated"), None),
    "always 404": (problem("not-found"), None),
    "always 500": (problem("internal"), None),
    "always healthy": (Shape(200, {"status": "ok"}, HEADERS), None),
    "echo": (Shape(200, PLAUSIBLE, HEADERS), echo),
}
# What a liar may pass, and why that is right: nothing but what it really does.
PASSED: dict[str, dict[str, str]] = {
    **{name: {} for name in LIARS},
    "always healthy": {
        "healthz": "it gives the right answer to that very question",
        "framing_old": "it answers a doubtful request once, and is alive",
        "slow_headers": "it cuts slow clients, and is alive",
    },
}


def passed(name: str) -> set[str]:
    """The checks that a liar passes over HTTP, with every token it could be given."""
    shape, answer = LIARS[name]
    with liar(shape, answer) as url:
        remote = Remote(url, url, None, "https://friend.example", "metrics-token")
        target = Target(url, remote)
        person = Person("a@example.com", "x" * 24, target.client("x" * 43), dict(USER))
        target._first_admin.append(person)
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda check: attempt(check, target), checks().values()))
    assert sum(outcome.result == BROKEN for outcome in found) > 100
    return {outcome.check.name for outcome in found if outcome.result == KEPT}


@pytest.mark.parametrize("name", LIARS)
def test_a_liar_is_found_out(name: str) -> None:
    assert passed(name) == set(PASSED[name])
