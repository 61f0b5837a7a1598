"""Traces: spans of requests and of their statements, when somebody collects them."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from app import databases
from app.config import Config
from app.locals import method, route

UNTRACED = {"/healthz", "/readyz", "/metrics"}
_NOTHING = nullcontext()
_TABLE = {
    "SELECT": re.compile(r"\bFROM\s+[`\"]?(\w+)", re.IGNORECASE),
    "DELETE": re.compile(r"\bFROM\s+[`\"]?(\w+)", re.IGNORECASE),
    "INSERT": re.compile(r"\bINTO\s+[`\"]?(\w+)", re.IGNORECASE),
    "UPDATE": re.compile(r"\bUPDATE\s+[`\"]?(\w+)", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What makes spans, and the span that the next ones are part of."""

    tracer: Any
    parent: Any


current: ContextVar[Work | None] = ContextVar("current_work", default=None)


def init_app(app: Flask) -> None:
    config: Config = app.extensions["config"]
    if config.otel_exporter_otlp_endpoint:
        # Late: nothing of it is loaded where nobody collects traces.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        about = Resource.create({"service.name": config.otel_service_name})
        provider = TracerProvider(resource=about, shutdown_on_exit=False)
        url = config.otel_exporter_otlp_endpoint.rstrip("/")
        exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
        begin(app, provider)


def begin(app: Flask, provider: Any) -> None:
    """Make spans of all that the app answers from now on."""
    app.extensions["traces"] = provider
    app.extensions["tracer"] = tracer = provider.get_tracer("app")
    app.wsgi_app = _trace_requests(app.wsgi_app, tracer)  # type: ignore[method-assign]
    _watch_statements(app.extensions["engine"])


def stop(app: Flask, seconds: float) -> None:
    """Send what is left, as far as the time goes."""
    if "traces" in app.extensions:
        last = threading.Thread(target=app.extensions["traces"].shutdown, daemon=True)
        last.start()
        last.join(max(seconds, 0))


def _trace_requests(
    inner: Callable[..., Iterable[bytes]], tracer: Any
) -> Callable[..., Iterable[bytes]]:
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carried = TraceContextTextMapPropagator()

    def trace(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] in UNTRACED:
            return inner(environ, start_response)
        names = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}
        sent = {name: environ[key] for name, key in names.items() if key in environ}
        span = tracer.start_span(method(environ), carried.extract(sent), SpanKind.SERVER)
        about = span.get_span_context()
        environ["app.trace_id"] = f"{about.trace_id:032x}"
        environ["app.span_id"] = f"{about.span_id:016x}"
        current.set(Work(tracer, set_span_in_context(span)))

        def finish() -> None:
            current.set(None)
            _describe(span, environ)
            span.end()

        return ClosingIterator(inner(environ, start_response), finish)

    return trace


def _describe(span: Any, environ: dict[str, Any]) -> None:
    from opentelemetry.trace import StatusCode

    status = environ.get("app.status", 500)
    span.update_name(f"{method(environ)} {route(environ)}")
    about = {
        "http.request.method": method(environ),
        "http.route": route(environ),
        "url.path": environ["PATH_INFO"],
        "url.scheme": environ["wsgi.url_scheme"],
        "http.response.status_code": status,
        "client.address": environ["app.client"],
        "app.request_id": environ["app.request_id"],
    }
    if "app.user_id" in environ:
        about["user.id"] = environ["app.user_id"]
    span.set_attributes(about)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


@cache
def _named(statement: str) -> tuple[str, str] | None:
    """Return the operation and the table of a statement; those without a table make no span."""
    outer, before = statement, ""
    while outer != before:
        outer, before = re.sub(r"\([^()]*\)", "", outer), outer
    operation = outer.split(maxsplit=1)[0].upper()
    found = _TABLE[operation].search(outer) if operation in _TABLE else None
    return (operation, found[1]) if found else None


def statement(text: str) -> AbstractContextManager[None]:
    """Show a statement, without its text and values, as part of what is at work."""
    work = current.get()
    return _NOTHING if work is None else _shown(work, text)


@contextmanager
def _shown(work: Work, text: str) -> Iterator[None]:
    span = _begin_statement(work, text)
    try:
        yield
    except BaseException:
        _end(span, is_failed=True)
        raise
    _end(span, is_failed=False)


def _begin_statement(work: Work, text: str) -> Any:
    from opentelemetry.trace import SpanKind

    named = _named(text)
    if named is None:
        return None
    operation, table = named
    about = {
        "db.system.name": databases.DEFAULT.dialect,
        "db.operation.name": operation,
        "db.collection.name": table,
    }
    return work.tracer.start_span(f"{operation} {table}", work.parent, SpanKind.CLIENT, about)


def _end(span: Any, *, is_failed: bool) -> None:
    from opentelemetry.trace import StatusCode

    if span is not None:
        if is_failed:
            span.set_status(StatusCode.ERROR)
        span.end()


def _watch_statements(engine: Any) -> None:
    from sqlalchemy import event

    def before(connection: Any, _cursor: Any, text: str, *_about: Any) -> None:
        work = current.get()
        connection.info["span"] = _begin_statement(work, text) if work else None

    def after(connection: Any, *_about: Any) -> None:
        _end(connection.info.pop("span", None), is_failed=False)

    def failed(about: Any) -> None:
        if about.connection is not None and not about.connection.invalidated:
            _end(about.connection.info.pop("span", None), is_failed=True)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", failed)


@contextmanager
def message(tracer: Any) -> Iterator[None]:
    """Show one attempt to send a message, in a trace of its own."""
    if tracer is None:
        yield
        return
    span = tracer.start_span("send mail")
    try:
        yield
    except BaseException:
        _end(span, is_failed=True)
        raise
    _end(span, is_failed=False)
