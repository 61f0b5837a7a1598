"""A collector of traces: takes what the apps send, and tells it in words that compare."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue  # noqa: TC002
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.proto.trace.v1.trace_pb2 import Status

PATIENCE = 15


@dataclass(frozen=True)
class Span:
    """One span, with the attributes of what sent it."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    is_error: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: str
    # All of it, as text to search for what must not be there.
    text: str


@dataclass
class Collector:
    url: str
    spans: list[Span] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def wait(self, is_enough: Callable[[list[Span]], bool], what: str) -> list[Span]:
        """The spans as soon as they are enough."""
        end = time.monotonic() + PATIENCE
        while not is_enough(found := list(self.spans)):
            assert time.monotonic() < end, f"{what}: only {sorted(span.name for span in found)}"
            time.sleep(0.03)
        return found

    def of(self, request_id: str) -> list[Span]:
        """The whole trace of one request."""

        def find(spans: list[Span]) -> list[Span]:
            return [one for one in spans if one.attributes.get("app.request_id") == request_id]

        (server,) = find(self.wait(lambda spans: bool(find(spans)), request_id))
        # What a request did is sent before it, or with it.
        return [one for one in self.spans if one.trace == server.trace]


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes(pairs: Any) -> dict[str, Any]:
    found: list[KeyValue] = list(pairs)
    names = [pair.key for pair in found]
    assert len(names) == len(set(names)), names
    return {pair.key: plain(pair.value) for pair in found}


def spans(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        about = attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for sent in scope.spans:
                yield Span(
                    name=sent.name,
                    kind=Sent.SpanKind.Name(sent.kind).removeprefix("SPAN_KIND_"),
                    trace=sent.trace_id.hex(),
                    id=sent.span_id.hex(),
                    parent=sent.parent_span_id.hex(),
                    is_error=sent.status.code == Status.STATUS_CODE_ERROR,
                    attributes=attributes(sent.attributes),
                    resource=about,
                    scope=scope.scope.name,
                    text=str(sent),
                )


@contextmanager
def collector() -> Iterator[Collector]:
    """Serve OTLP over HTTP on a port of one's own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = b"".join(self.chunks())
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            is_known = self.path == "/v1/traces"
            if is_known:
                found.headers.append({k.lower(): v for k, v in self.headers.items()})
                found.spans.extend(spans(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if is_known else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def chunks(self) -> Iterator[bytes]:
            """The body: of a length that is told, or in pieces."""
            if "Content-Length" in self.headers:
                yield self.rfile.read(int(self.headers["Content-Length"]))
                return
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Whoever hangs up is not our concern."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        found = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
