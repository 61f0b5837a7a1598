"""One worker process: its HTTP server and its end."""

import os
import resource
import select
import signal
import socket
import threading
import time
import types
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import RequestEntityTooLarge, build_http_date

from app import bodies, create_app, errors, health, ids, logs, metrics, security, traces
from app.config import Config

THREADS = 8
MOST_CONNECTIONS = 10_000
# How many may wait to be let in.
BACKLOG = 1024
HEADER_SECONDS = 10
BODY_SECONDS = 30
IDLE_SECONDS = 15
TEND_SECONDS = 0.5
# How long a client may leave an answer unread.
UNREAD_SECONDS = 30
# While ending: how long nobody asked anything before idle connections are closed, because a
# proxy may not send a POST again that met a closed one.
QUIET_SECONDS = 1
# How long a refused upload is read and thrown away, so that its sender sees the answer.
LINGER_SECONDS = 2


class Parser(HTTPRequestParser):
    """Leaves it to the app to refuse a body that is too large, in its own order."""

    # Of what is no HTTP there is none.
    path = ""
    is_oversize = False
    error: Any = None

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.began = time.monotonic()

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            self.error, self.body_rcv = None, None
            self.is_oversize = True
            self.headers["CONTENT_LENGTH"] = str(max(self.content_length, bodies.MOST_BYTES + 1))
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError(str(error)) from error
        if self.version not in {"1.0", "1.1"}:
            raise ParsingError("another version of HTTP")
        # Two lengths, or no host: somebody between us might read it otherwise (RFC 9112).
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length beside Transfer-Encoding")
        if self.version == "1.1" and "HOST" not in self.headers:
            raise ParsingError("Host is missing")


class Task(WSGITask):
    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        if self.request.path.startswith("//"):
            # Everyone below would read it as one slash; nothing of ours begins so.
            environ["PATH_INFO"] = f"/.{self.request.path}"
        return environ

    def build_response_header(self) -> bytes:
        if health.stopping.is_set() or self.request.is_oversize:
            self.set_close_on_finish()
        if self.request.is_oversize:
            self.channel.lingers = True
        is_whole = self.content_length is not None or not self.has_body
        keeps = self.request.headers.get("CONNECTION", "").lower() in {"", "keep-alive"}
        if self.close_on_finish or not keeps or self.version != "1.1" or not is_whole:
            header: bytes = super().build_response_header()
            return header
        # The same without a look at each name, and without an end after 204: 8 µs less.
        lines = [f"HTTP/1.1 {self.status}", *map(": ".join, self.response_headers)]
        lines += [f"Date: {build_http_date(self.start_time)}", "", ""]
        return "\r\n".join(lines).encode("latin-1")


class Refusal(ErrorTask):
    """What is no HTTP, or none we speak, gets a problem too."""

    def execute(self) -> None:
        is_ours = getattr(self.request.error, "code", 400) == 500
        problem = errors.Problem("internal" if is_ours else "bad-request")
        request_id = ids.new_id()
        body = errors.body(problem, getattr(self.request, "request_uri", "/"), request_id)
        self.status = f"{problem.status} {errors.TITLES[problem.status]}"
        self.response_headers += [
            ("Content-Type", "application/problem+json"),
            ("Cache-Control", "no-store"),
            ("X-Request-Id", request_id),
            *security.headers(self.channel.server.config, is_page=False),
        ]
        self.set_close_on_finish()
        self.channel.lingers = True
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):
    """A connection that is cut when its client is slow."""

    task_class = Task
    error_task_class = Refusal
    parser_class = Parser
    lingers = False
    lingers_until = 0.0
    # The next request waits until the answer before it has been taken.
    waits = False
    # The next request is answered by whoever reads: another thread would take longer to wake.
    is_quick = False
    is_new = True

    @property
    def last_activity(self) -> float:
        return self.active_at

    @last_activity.setter
    def last_activity(self, _wall_clock: float) -> None:
        """Note the time by a clock that nobody moves."""
        self.active_at = time.monotonic()

    def is_busy(self) -> bool:
        has_begun = self.request is not None and self.request.headers_finished
        return bool(self.requests or self.total_outbufs_len or has_begun)

    def is_too_slow(self, now: float) -> bool:
        if self.lingers_until:
            return now > self.lingers_until
        if self.total_outbufs_len:
            return bool(now - self.last_activity > UNREAD_SECONDS)
        if self.requests:
            return False
        if self.request is not None:
            is_body = self.request.headers_finished
            return bool(now - self.request.began > (BODY_SECONDS if is_body else HEADER_SECONDS))
        return bool(now - self.last_activity > (HEADER_SECONDS if self.is_new else IDLE_SECONDS))

    def service(self) -> None:
        """Answer in a thread, but never keep one waiting for who does not read."""
        if self.total_outbufs_len:
            self.waits = True
            self.server.pull_trigger()
        else:
            super().service()

    def writable(self) -> bool:
        return self.waits or bool(super().writable())

    def handle_write(self) -> None:
        if not self.waits or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if not self.total_outbufs_len:
            self.waits = False
            self.server.add_task(self)
            self._answer_quick()

    def handle_close(self) -> None:
        if self.lingers and not self.lingers_until and self.connected:
            self.lingers_until = time.monotonic() + LINGER_SECONDS
            self.will_close = False
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            else:
                return
        super().handle_close()

    def readable(self) -> bool:
        return bool(self.lingers_until) or super().readable()

    def received(self, data: bytes) -> bool:
        self.is_new = False
        if self.lingers_until:
            return False
        found: bool = super().received(data)
        self._answer_quick()
        return found

    def _answer_quick(self) -> None:
        while self.is_quick:
            self.is_quick = False
            self.service()


class Dispatcher:
    """Gives requests to threads; probes have their own, so that slow work never hides them."""

    def __init__(self, usual: ThreadedTaskDispatcher) -> None:
        self.usual = usual
        self.probes = ThreadedTaskDispatcher()
        self.probes.set_thread_count(2)
        self.reader = threading.get_ident()

    def add_task(self, channel: Channel) -> None:
        path = channel.requests[0].path
        if path == health.ALIVE and threading.get_ident() == self.reader:
            channel.is_quick = True
        else:
            (self.probes if path in logs.PROBES else self.usual).add_task(channel)


def prepare() -> None:
    """Hear the signal to stop from the first moment on."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # From a terminal it reaches all processes; the supervisor passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: health.stopping.set())
    # Each connection is a file, and most systems begin with 1,024 of them.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Worker:
    """One process that answers requests."""

    def __init__(self, config: Config, listener: socket.socket) -> None:
        self.config = config
        self.parent = os.getppid()
        self.app = create_app(config)
        self.server: Any = create_server(
            self.app,
            sockets=[listener],
            threads=THREADS,
            connection_limit=_most_connections(),
            ident=None,
            max_request_body_size=bodies.MOST_BYTES + 1,
            max_request_header_size=32768,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,
        )
        self.server.config = config
        self.server.channel_class = Channel
        self.server.task_dispatcher = Dispatcher(self.server.task_dispatcher)
        # Ours goes by a clock that nobody moves.
        self.server.maintenance = lambda _now: None
        self.tended_at = 0.0

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        while not health.stopping.is_set():
            self._turn()
        # Whoever has come until now is let in: with the port they would be cut off.
        for _ in range(BACKLOG):
            if select.select([self.server.socket], [], [], 0)[0]:
                self.server.handle_accept()
        self.server.del_channel()
        self.server.socket.close()
        deadline = time.monotonic() + self.config.shutdown_seconds
        while time.monotonic() < deadline and self._is_busy():
            self._turn()
        self.app.extensions["mail"].stop(deadline - time.monotonic())
        traces.stop(self.app, deadline - time.monotonic())
        self.app.extensions["engine"].dispose()

    def _stop(self, _signal: int, _frame: types.FrameType | None) -> None:
        health.stopping.set()
        self.server.pull_trigger()

    def _turn(self) -> None:
        wasyncore.loop(timeout=0.5, use_poll=True, map=self.server._map, count=1)
        now = time.monotonic()
        if now - self.tended_at >= TEND_SECONDS:
            self.tended_at = now
            metrics.watch_pool(self.app.extensions["engine"])
            self._cut_slow(now)
        if os.getppid() != self.parent:
            health.stopping.set()

    def _is_busy(self) -> bool:
        recently = time.monotonic() - QUIET_SECONDS
        return any(
            channel.is_busy() or channel.last_activity > recently
            for channel in list(self.server.active_channels.values())
        )

    def _cut_slow(self, now: float) -> None:
        for channel in list(self.server.active_channels.values()):
            if channel.is_too_slow(now):
                channel.lingers = False
                channel.will_close = True
                if channel.total_outbufs_len:
                    # It would wait until its client reads.
                    channel.handle_close()


def _most_connections() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some are for the database, the logs and the like.
    return MOST_CONNECTIONS if files < 0 else min(MOST_CONNECTIONS, files * 9 // 10)
