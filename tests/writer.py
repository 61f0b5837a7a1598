"""Clients that write without pause, and know afterwards what became of each request."""

from __future__ import annotations

import http.client
import itertools
import json
import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from scaffold.contract.client import Client
from scaffold.contract.target import API

NOTES = f"{API}/notes"
# What may become of a request.
WRITTEN = "written"
UNAVAILABLE = "503"
REFUSED = "refused"
CUT = "cut"
TIMEOUT = 20.0
# So that four of them leave a small machine to the app.
PAUSE = 0.01


@dataclass
class Writer:
    """Threads that post notes over kept connections; `base` is an app or what stands before it."""

    base: str
    token: str
    threads: int = 4
    trust: ssl.SSLContext | None = None
    # By title, the id of each note the app said it has.
    acknowledged: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    found: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _name: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def failed(self) -> Counter[str]:
        """Requests that were not answered by 201, by kind."""
        return Counter({kind: count for kind, count in self.found.items() if kind != WRITTEN})

    def __enter__(self) -> Self:
        for _ in range(self.threads):
            thread = threading.Thread(target=self._write, daemon=True)
            self._running.append(thread)
            thread.start()
        return self.goes_on()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._over.set()
        for thread in self._running:
            thread.join(TIMEOUT + 5)
            assert not thread.is_alive(), "a writer hangs"

    def goes_on(self, times: int = 20, *, within: float = 60, kind: str = WRITTEN) -> Self:
        """Wait for so many more requests of a kind."""
        goal = self.found[kind] + times
        until(lambda: self.found[kind] >= goal, within, lambda: f"{kind}: {self.found}")
        return self

    def lost(self, client: Client) -> dict[str, int]:
        """Acknowledged notes that are missing, and notes that nobody was told of."""
        stored: dict[str, str] = {}
        path = f"{NOTES}?limit=100"
        while path:
            page = client.get(path).expect(200).json()
            stored |= {item["title"]: item["id"] for item in page["items"]}
            path = page["next"]
        assert len(set(self.acknowledged.values())) == len(self.acknowledged), "an id came twice"
        lost = [title for title, known in self.acknowledged.items() if stored.get(title) != known]
        untold = self.asked & stored.keys() - self.acknowledged.keys()
        return {"lost": len(lost), "untold": len(untold)}

    def _write(self) -> None:
        connection = self._connection()
        while not self._over.wait(PAUSE):
            title = f"{self._name}-{next(self._numbers)}"
            self.asked.add(title)
            began = time.monotonic()
            kind = self._ask(connection, title)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.found[kind] += 1
            if kind in {REFUSED, CUT}:
                connection.close()
                self._over.wait(0.05)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, title: str) -> str:
        is_new = connection.sock is None
        try:
            if is_new:
                connection.connect()
        except OSError:
            return REFUSED
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request("POST", NOTES, json.dumps({"title": title}), headers)
            answer = connection.getresponse()
            body = answer.read()
        except ConnectionResetError:
            # A listener that closes resets who waited to be accepted.
            return REFUSED if is_new else CUT
        except (OSError, http.client.HTTPException):
            return CUT
        if answer.status == 201:
            self.acknowledged[title] = json.loads(body)["id"]
            return WRITTEN
        is_clean = int(answer.headers.get("Retry-After") or 0) > 0
        is_clean &= answer.headers.get("Content-Type") == "application/problem+json"
        return str(answer.status) if is_clean else f"bad {answer.status}"

    def _connection(self) -> http.client.HTTPConnection:
        place = urlsplit(self.base)
        host, port = place.hostname or "", place.port
        if self.trust:
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self.trust)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)


def until(
    holds: Callable[[], object],
    within: float = 60,
    why: Callable[[], str] = lambda: "it did not come to be",
) -> None:
    """Wait for a condition; an AssertionError when it does not come in time."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, why()
        time.sleep(0.02)
