"""Log lines that carry the request id and never a secret."""

import logging
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import orjson
from flask import Flask
from werkzeug.wsgi import ClosingIterator

from app import clients, ids, metrics
from app.config import Config
from app.locals import route

type_of_environ = dict[str, Any]
current_request: ContextVar[type_of_environ | None] = ContextVar("current_request", default=None)
access = logging.getLogger("app.access")
events = logging.getLogger("app.events")

_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
PROBES = {"/healthz", "/readyz"}


class Lines(logging.Formatter):
    """One line a record: JSON, or text for people."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.is_json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": ids.format_time(ids.now()),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        environ = current_request.get()
        if environ is not None:
            line["request_id"] = environ["app.request_id"]
            if "app.trace_id" in environ:
                line["trace_id"] = environ["app.trace_id"]
            if "app.span_id" in environ:
                line["span_id"] = environ["app.span_id"]
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        if self.is_json:
            return orjson.dumps(line, default=str).decode()
        words = [str(line.pop(key)) for key in ("time", "level", "message")]
        trace = f"\n{line.pop('error')}" if "error" in line else ""
        return " ".join([*words, *(f"{key}={value}" for key, value in line.items())]) + trace


def configure(config: Config) -> None:
    """Send every log line to stdout in the wanted form."""
    # A line that cannot be written is lost, and nothing else.
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Lines(config.log_format))
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler], force=True)
    # It warns of each request that waits for a thread, however short.
    # Nobody reads from which line and thread a line came: 6 µs less a line.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def event(name: str, **fields: Any) -> None:
    """Write down a security event; the same name is counted in the metrics."""
    metrics.count_event(name)
    who = (current_request.get() or {}).get("app.user_id")
    about = {"event": name, **({"user_id": who} if who else {}), **fields}
    events.info(name, extra={"fields": about})


def init_app(app: Flask) -> None:
    inner = app.wsgi_app
    config: Config = app.extensions["config"]

    def log_requests(
        environ: type_of_environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        environ["app.request_id"] = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(16)
        environ["app.client"] = clients.address(environ, config.trusted_proxies)
        trace = _TRACE.fullmatch(environ.get("HTTP_TRACEPARENT", ""))
        if trace:
            environ["app.trace_id"] = trace[1]
        current_request.set(environ)
        metrics.in_flight.inc()

        def finish() -> None:
            metrics.in_flight.dec()
            seconds, status = time.perf_counter() - started, environ.get("app.status", 500)
            metrics.observe(environ, status, seconds)
            current_request.set(environ)
            _write(environ, status, seconds)
            current_request.set(None)

        return ClosingIterator(inner(environ, start_response), finish)

    app.wsgi_app = log_requests  # type: ignore[method-assign]


def _write(environ: type_of_environ, status: int, seconds: float) -> None:
    level = logging.DEBUG if environ["PATH_INFO"] in PROBES else logging.INFO
    if not access.isEnabledFor(level):
        return
    fields = {
        "method": environ["REQUEST_METHOD"],
        "route": route(environ),
        "status": status,
        "duration_ms": round(seconds * 1000, 3),
        "client": environ["app.client"],
        "user_id": environ.get("app.user_id"),
    }
    access.log(level, "request", extra={"fields": fields})
