"""Identifiers and times: UUIDv7 (RFC 9562) and UTC with microseconds."""

import re
import secrets
import threading
import time
from datetime import UTC, datetime

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_lock = threading.Lock()
_last = [0]


def new_id() -> str:
    """Make a UUIDv7 that sorts after every earlier one of this process."""
    with _lock:
        # Milliseconds and their 4,096ths: 60 bits of time, then 62 random bits.
        _last[0] = moment = max(time.time_ns() * 4096 // 1_000_000, _last[0] + 1)
    number = (moment >> 12) << 80 | 0x7 << 76 | (moment & 0xFFF) << 64
    digits = f"{number | 0b10 << 62 | secrets.randbits(62):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def parse_id(text: str) -> str | None:
    """Return the identifier in lower case, or None when `text` is none."""
    lowered = text.lower() if text.isascii() else ""
    return lowered if _UUID.fullmatch(lowered) else None


def now() -> datetime:
    return datetime.now(UTC)


def format_time(moment: datetime) -> str:
    """Write a UTC time as `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    return f"{moment.isoformat(timespec='microseconds')[:26]}Z"
