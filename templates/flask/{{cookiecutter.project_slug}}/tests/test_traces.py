"""What is told to a collector of traces."""

import subprocess
import sys

import pytest
from flask import Flask
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app import traces
from tests.database import ROOT
from tests.person import AUTH, ME, PASSWORD, Person, enroll

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
LOADED = """
import sys
from app import create_app
from app.config import load
create_app(load({"DATABASE_URL": sys.argv[1]}))
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""


@pytest.fixture
def collected(app: Flask) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces.begin(app, provider)
    return exporter


def names(spans: tuple[ReadableSpan, ...]) -> set[tuple[str, str]]:
    """Return the name of each span with that of its parent."""
    known = {span.context.span_id: span.name for span in spans if span.context}
    return {
        (known.get(span.parent.span_id, "") if span.parent else "", span.name) for span in spans
    }


def test_a_request_makes_a_server_span_with_its_statements(
    collected: InMemorySpanExporter, app: Flask
) -> None:
    ada = enroll(app, "Ada")
    collected.clear()
    answer = ada.get(ME)
    spans = collected.get_finished_spans()
    route = f"GET {ME}"
    assert names(spans) == {("", route), (route, "SELECT sessions"), (route, "SELECT users")}
    about = spans[-1].attributes or {}
    assert about["http.request.method"] == "GET"
    assert about["http.route"] == about["url.path"] == ME
    assert about["http.response.status_code"] == 200
    assert about["user.id"] == answer.body["id"]
    assert about["app.request_id"] == answer.headers["X-Request-Id"]


def test_a_span_goes_on_with_the_trace_of_the_caller(
    collected: InMemorySpanExporter, anyone: Person
) -> None:
    anyone.get("/nowhere", traceparent=f"00-{TRACE}-{CALLER}-01")
    [span] = collected.get_finished_spans()
    assert span.name == "GET unmatched"
    assert span.context
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent
    assert f"{span.parent.span_id:016x}" == CALLER


def test_probes_make_no_span(collected: InMemorySpanExporter, anyone: Person) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert anyone.get(path).status == 200
    assert collected.get_finished_spans() == ()


def test_without_an_endpoint_nothing_of_it_is_loaded(database_url: str) -> None:
    subprocess.run([sys.executable, "-c", LOADED, database_url], cwd=ROOT, check=True)


def test_spans_hold_no_statement_and_no_value(collected: InMemorySpanExporter, app: Flask) -> None:
    ada = enroll(app, "Ada")
    ada.patch(ME, {"name": "A secret name"})
    ada.post(f"{AUTH}/login", {"email": ada.email, "password": "wrong-password"})
    told = "".join(span.to_json() for span in collected.get_finished_spans())
    assert "UPDATE users" in told
    for secret in ("secret name", PASSWORD, "wrong-password", ada.email, "VALUES"):
        assert secret not in told
