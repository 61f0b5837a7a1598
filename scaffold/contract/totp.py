"""Codes of a second factor, as a person's device makes them (RFC 6238)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

STEP = 30
# A code made at the end of its step might be judged in the next.
MARGIN = 2.0


def code(secret: str, offset: int = 0) -> str:
    """The six digits of the step `offset` from now; waits when that step is nearly over."""
    left = STEP - time.time() % STEP
    if left < MARGIN:
        time.sleep(left)
    return code_at(secret, int(time.time()) // STEP + offset)


def code_at(secret: str, step: int) -> str:
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, step.to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**6:06}"


def wrong_code(secret: str) -> str:
    """Six digits that are no code of any step near now."""
    now = int(time.time()) // STEP
    near = {code_at(secret, now + offset) for offset in range(-12, 13)}
    return next(digits for digits in map("{:06}".format, range(100)) if digits not in near)
