"""A small HTTP client that says exactly what it sends and hides nothing of the answer."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from scaffold.contract.problems import PROBLEMS

NOTHING: Any = object()
TIMEOUT = 30


class Broken(AssertionError):
    """A promise that did not hold: what was asked, expected and answered."""


class NotTried(BaseException):
    """A promise that could not be tried here; says what that would need."""


@dataclass(frozen=True)
class Answer:
    """An answer as it came: `headers` in order, names as sent, repeated ones repeated."""

    method: str
    path: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of a header that may come once; Broken when it comes twice."""
        values = self.all(name)
        if len(values) > 1:
            raise Broken(f"{self}: {name} came {len(values)} times")
        return values[0] if values else None

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Broken(f"{self}: no JSON: {self.body[:300]!r}") from error

    def expect(self, *statuses: int) -> Answer:
        if self.status not in statuses:
            raise Broken(f"{self}, not {' or '.join(map(str, statuses))}: {self.body[:500]!r}")
        return self

    def problem(self, name: str) -> dict[str, Any]:
        """Hold the answer to RFC 9457 and the table of problems; return its members."""
        status, title, detail = PROBLEMS[name]
        self.expect(status)
        kind = self.header("Content-Type")
        if kind != "application/problem+json":
            raise Broken(f"{self}: Content-Type is {kind}")
        found = self.json()
        expected = {"type": f"/problems/{name}", "title": title, "status": status}
        expected |= {"request_id": self.header("X-Request-Id")}
        expected |= {"detail": detail} if detail else {}
        wrong = {key: found.get(key) for key in expected if found.get(key) != expected[key]}
        if wrong or not isinstance(found.get("instance"), str):
            raise Broken(f"{self}: {wrong or 'no instance'} in {found}, expected {expected}")
        return dict(found)

    def pointers(self) -> list[str]:
        """Where validation found errors, sorted."""
        return sorted(error["pointer"] for error in self.problem("validation")["errors"])

    def __str__(self) -> str:
        return f"{self.method} {self.path[:120]} answered {self.status}"


@dataclass(frozen=True)
class Client:
    """Requests to one app, each on a connection of its own; `token` and `headers` go with all."""

    base: str
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    observe: Callable[[Answer], None] = field(default=lambda _: None)
    # Whether to send the request once more, perhaps after a while.
    again: Callable[[Answer], bool] = field(default=lambda _: False)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = NOTHING,
        body: bytes | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Send one request; a header of None is left out, even a usual one."""
        sent: dict[str, str | None] = {"Accept": "application/json", **self.headers}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if json is not NOTHING:
            body = _encode(json)
        if body is not None:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        sent |= headers or {}
        while self.again(answer := self._send(method, path, sent, body)):
            pass
        self.observe(answer)
        return answer

    def _send(
        self, method: str, path: str, headers: Mapping[str, str | None], body: bytes | None
    ) -> Answer:
        connection = (
            http.client.HTTPSConnection(*self.address, timeout=TIMEOUT, context=trust())
            if self.is_https
            else http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        )
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value.encode("utf-8"))
            connection.endheaders(body)
            got = connection.getresponse()
            return Answer(method, path, got.status, tuple(got.getheaders()), got.read())
        finally:
            connection.close()

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.base)
        return parts.hostname or "127.0.0.1", parts.port or (443 if self.is_https else 80)

    @property
    def is_https(self) -> bool:
        return self.base.startswith("https:")

    def get(self, path: str, **more: Any) -> Answer:
        return self.request("GET", path, **more)

    def post(self, path: str, json: Any = NOTHING, **more: Any) -> Answer:
        return self.request("POST", path, json=json, **more)

    def patch(self, path: str, json: Any = NOTHING, **more: Any) -> Answer:
        return self.request("PATCH", path, json=json, **more)

    def delete(self, path: str, json: Any = NOTHING, **more: Any) -> Answer:
        return self.request("DELETE", path, json=json, **more)

    def connect(self, timeout: float = TIMEOUT) -> socket.socket:
        """A bare connection, for what no well-behaved client would send."""
        plain = socket.create_connection(self.address, timeout=timeout)
        if not self.is_https:
            return plain
        return trust().wrap_socket(plain, server_hostname=self.address[0])

    def raw(self, data: bytes, timeout: float = TIMEOUT) -> bytes:
        """Send bytes and read until the other side closes or says nothing for `timeout`."""
        with self.connect(timeout) as connection:
            connection.sendall(data)
            return read_all(connection)


@cache
def trust() -> ssl.SSLContext:
    """The authorities this machine trusts; SSL_CERT_FILE names others."""
    return ssl.create_default_context()


def read_all(connection: socket.socket) -> bytes:
    """What arrives until the other side closes, resets, or falls silent."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except (TimeoutError, ConnectionError):
        pass
    return received


def _encode(value: Any) -> bytes:
    # Lone surrogates travel as escapes, so that hostile text reaches the app.
    return json.dumps(value).encode("ascii")
