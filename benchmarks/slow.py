"""Clients that misbehave: they trickle, idle, or never read; and a patient one beside them."""

from __future__ import annotations

import http.client
import select
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

HEADERS = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
# A second between bytes is what makes it slow.
PAUSE = 1.0


def body(token: str) -> bytes:
    """The head of a request whose body never ends."""
    lines = ["POST /api/v1/notes HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    lines += ["Content-Type: application/json", "Content-Length: 1000000", "", '{"title": "']
    return "\r\n".join(lines).encode()


def greedy(token: str, count: int = 6) -> bytes:
    """Several requests for a list of about a megabyte each."""
    lines = ["GET /api/v1/notes?limit=100 HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {token}", "", ""]
    return "\r\n".join(lines).encode() * count


@dataclass
class Slow:
    """So many connections that all begin alike; `trickles` sends on, a byte each second."""

    port: int
    count: int
    first: bytes = b""
    trickles: bool = False
    reads: bool = True
    refused: int = 0
    cut: list[float] = field(default_factory=list)
    _sockets: list[socket.socket] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for _ in range(self.count):
            client = socket.socket()
            if not self.reads:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(2)
            try:
                client.connect(("127.0.0.1", self.port))
                client.sendall(self.first)
            except OSError:
                self.refused += 1
                client.close()
                continue
            client.settimeout(0)
            self._sockets.append(client)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        for client in self._sockets:
            client.close()

    def _run(self) -> None:
        alive = list(self._sockets)
        while alive and not self._over.is_set():
            gone = [client for client in alive if self._is_cut(client)]
            self.cut += [time.monotonic() - self._began] * len(gone)
            alive = [client for client in alive if client not in gone]
            self._over.wait(PAUSE)

    def _is_cut(self, client: socket.socket) -> bool:
        try:
            if self.trickles:
                client.send(b"x")
            if self.reads:
                return client.recv(65536) == b""
            watch = select.poll()
            # Hang-up is told without reading.
            watch.register(client, select.POLLRDHUP)
            return bool(watch.poll(0))
        except BlockingIOError:
            return False
        except OSError:
            return True

    def wait(self, seconds: float) -> None:
        """Until all are cut, or the time is over."""
        self._thread.join(max(0.0, self._began + seconds - time.monotonic()))


@dataclass
class Served:
    """What a well-behaved client met."""

    times: list[float] = field(default_factory=list)
    failed: int = 0

    def __str__(self) -> str:
        asked = len(self.times) + self.failed
        longest = f"longest {max(self.times) * 1000:,.0f} ms" if self.times else "none"
        return f"{len(self.times)} of {asked} served, {longest}"


def served(port: int, seconds: float, token: str | None = None) -> Served:
    """Ask again and again, each time on a connection of its own."""
    found = Served()
    end = time.monotonic() + seconds
    path = "/api/v1/notes" if token else "/healthz"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    while time.monotonic() < end:
        began = time.monotonic()
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        with suppress(OSError, http.client.HTTPException):
            client.request("GET", path, headers=headers)
            answer = client.getresponse()
            answer.read()
            if answer.status == 200:
                found.times.append(time.monotonic() - began)
                client.close()
                time.sleep(0.02)
                continue
        client.close()
        found.failed += 1
        time.sleep(0.02)
    return found


class Flight:
    """Lists asked for without end over kept connections, while something happens to the server."""

    def __init__(self, port: int, token: str, connections: int = 8) -> None:
        self.port, self.token = port, token
        self.answered: list[float] = []
        self.lost: list[float] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(connections)]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        while not self.over.is_set():
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                client.connect()
            except OSError:
                # Nobody listens: nothing was asked, so nothing is lost.
                time.sleep(0.05)
                continue
            try:
                self._ask_on(client, headers)
            except (OSError, http.client.HTTPException):
                self.lost.append(time.monotonic())
            finally:
                client.close()

    def _ask_on(self, client: http.client.HTTPConnection, headers: dict[str, str]) -> None:
        while not self.over.is_set():
            client.request("GET", "/api/v1/notes", headers=headers)
            answer = client.getresponse()
            answer.read()
            self.answered.append(time.monotonic())
            if answer.will_close:
                return
