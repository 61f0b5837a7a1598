"""Counts shared by all processes: in Valkey, else in memory."""

import logging
import math
import secrets
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

log = logging.getLogger(__name__)

_DATA = Path(__file__).parent / "data"
MILLION = 1_000_000
MOST_KEYS = 10_000
# How long a store that failed is left alone, and how often that is said.
REST_SECONDS = 1.0
SAY_SECONDS = 60.0


def clock() -> int:
    """Microseconds that never run backwards."""
    return time.monotonic_ns() // 1000


class Verdict(NamedTuple):
    """Whether a request may pass; times in microseconds."""

    is_allowed: bool
    left: int
    until_full: int
    wait: int


class Store(Protocol):
    def take(self, key: str, cost: int, quota: int) -> Verdict: ...
    def attempt(self, key: str, window: int, most: int) -> int:
        """Count an attempt and return 0, or return the microseconds to wait."""

    def forget(self, key: str) -> None: ...


class Memory:
    """Counts of this process alone, of the clients seen last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._full: OrderedDict[str, int] = OrderedDict()
        self._attempts: OrderedDict[str, list[int]] = OrderedDict()

    def take(self, key: str, cost: int, quota: int) -> Verdict:
        now = clock()
        with self._lock:
            full = max(self._full.get(key, now), now)
            wait = full + cost - cost * quota - now
            if wait > 0:
                return Verdict(is_allowed=False, left=0, until_full=full - now, wait=wait)
            self._full[key] = full = full + cost
            self._trim(self._full, key)
        return Verdict(is_allowed=True, left=-wait // cost, until_full=full - now, wait=0)

    def attempt(self, key: str, window: int, most: int) -> int:
        now = clock()
        with self._lock:
            recent = [moment for moment in self._attempts.get(key, ()) if moment > now - window]
            if len(recent) >= most:
                return max(1, recent[0] + window - now)
            self._attempts[key] = [*recent, now]
            self._trim(self._attempts, key)
        return 0

    def forget(self, key: str) -> None:
        with self._lock:
            self._attempts.pop(key, None)

    @staticmethod
    def _trim(table: OrderedDict[str, Any], key: str) -> None:
        table.move_to_end(key)
        if len(table) > MOST_KEYS:
            table.popitem(last=False)


class Valkey:
    """Counts all processes share; while it is away, each counts for itself."""

    def __init__(self, url: str) -> None:
        import redis  # late: it takes long to load, and who counts alone never needs it

        self._errors = redis.RedisError
        self.client = redis.Redis.from_url(
            url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=None, protocol=2
        )
        self._take = self.client.register_script((_DATA / "limit.lua").read_text("utf-8"))
        self._attempt = self.client.register_script((_DATA / "guess.lua").read_text("utf-8"))
        self._memory = Memory()
        self._rests_until = 0.0
        self._said_at = -math.inf

    def take(self, key: str, cost: int, quota: int) -> Verdict:
        if self._is_resting():
            return self._memory.take(key, cost, quota)
        try:
            allowed, left, until_full, wait = self._take(keys=[key], args=[cost, quota])
        except self._errors as error:
            self._rest(error)
            return self._memory.take(key, cost, quota)
        return Verdict(bool(allowed), left, until_full, wait)

    def attempt(self, key: str, window: int, most: int) -> int:
        if self._is_resting():
            return self._memory.attempt(key, window, most)
        try:
            return int(self._attempt(keys=[key], args=[window, most, secrets.token_hex(8)]))
        except self._errors as error:
            self._rest(error)
            return self._memory.attempt(key, window, most)

    def forget(self, key: str) -> None:
        self._memory.forget(key)
        if self._is_resting():
            return
        try:
            self.client.delete(key)
        except self._errors as error:
            self._rest(error)

    def _is_resting(self) -> bool:
        return time.monotonic() < self._rests_until

    def _rest(self, error: Exception) -> None:
        now = time.monotonic()
        self._rests_until = now + REST_SECONDS
        if now - self._said_at >= SAY_SECONDS:
            self._said_at = now
            fields = {"reason": type(error).__name__}
            log.warning("valkey is away, limits are per process", extra={"fields": fields})


def open_store(url: str) -> Store:
    return Valkey(url) if url else Memory()
