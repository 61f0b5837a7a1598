"""Tiny servers that lie: they answer everything the same way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Shape:
    """What a liar always says."""

    status: int
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    body: bytes = b""

    def answer(self, _request: BaseHTTPRequestHandler, _sent: bytes) -> tuple[int, str, bytes]:
        return self.status, self.kind, self.body or json.dumps(self.json).encode()


Answers = Callable[[BaseHTTPRequestHandler, bytes], tuple[int, str, bytes]]


@contextmanager
def liar(shape: Shape, answer: Answers | None = None) -> Iterator[str]:
    """Serve one answer to every request; yields the URL."""
    say = answer or shape.answer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def handle_any(self) -> None:
            length = self.headers.get("Content-Length", "0")
            sent = self.rfile.read(min(int(length), 1 << 16)) if length.isdigit() else b""
            status, kind, body = say(self, sent)
            # Nothing that tells it from the real one: no Server, no Date of another form.
            self.send_response_only(status)
            for name, value in shape.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.close_connection = True

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Whoever hangs up is not our concern."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
