"""Guessing protection: failures counted per account."""

import hashlib

from app import limits, logs, store
from app.errors import Problem

MOST_FAILURES = 5
WINDOW = 15 * 60 * store.MILLION


def _key(email: str) -> str:
    return f"guess:{hashlib.sha256(email.encode()).hexdigest()}"


def attempt(email: str) -> None:
    """Count a failure in advance, so that guesses at the same time cannot exceed the limit."""
    wait = limits.counts().attempt(_key(email), WINDOW, MOST_FAILURES)
    if wait:
        logs.event("login.blocked")
        seconds = max(1, -(-wait // store.MILLION))
        raise Problem("too-many-attempts", headers={"Retry-After": str(seconds)})


def succeed(email: str) -> None:
    limits.counts().forget(_key(email))
