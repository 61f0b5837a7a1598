"""Traces: what both apps send to a collector, what they never send, and what it costs when off."""

from __future__ import annotations

import json
import re
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from boots import Booted, baked, settings
from collector import Collector, Span, collector
from conftest import DATABASES
from services import Database, Sqlite

from scaffold.contract.client import Answer, Client
from scaffold.contract.target import API, METRICS_TOKEN, Person, Target
from scaffold.server import Server, free_port
from scaffold.stacks import stacks
from scaffold.variants import variant

AUTH, NOTES = f"{API}/auth", f"{API}/notes"
SYSTEMS = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mysql"}
# What the SDKs themselves read: send what there is ten times a second.
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
SECRET = "x" * 20


@dataclass
class Traced:
    """An app whose traces are collected, and the answers of one sequence of requests."""

    app: Target
    collector: Collector
    kind: str
    person: Person
    answers: dict[str, Answer] = field(default_factory=dict)

    def ask(self, what: str, client: Client, method: str, path: str, **more: Any) -> Answer:
        mark = f"{what}-{secrets.token_hex(8)}"
        headers = {"X-Request-Id": mark, **more.pop("headers", {})}
        self.answers[what] = client.request(method, path, headers=headers, **more)
        return self.answers[what]

    def trace(self, what: str) -> list[Span]:
        return self.collector.of(self.answers[what].header("X-Request-Id") or "")

    def server(self, what: str) -> Span:
        (found,) = [span for span in self.trace(what) if span.kind == "SERVER"]
        return found

    def pairs(self) -> set[tuple[str, str]]:
        """(parent's name, name) of every span of the sequence."""
        every = [span for what in self.answers for span in self.trace(what)]
        names = {span.id: span.name for span in every}
        return {(names.get(span.parent, "-"), span.name) for span in every}

    def live(self) -> None:
        """The same requests on whichever stack."""
        anonymous, client = self.app.anonymous, self.person.client
        login = {"email": self.person.email, "password": self.person.password}
        account = {"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex(9)}
        self.ask("register", anonymous, "POST", f"{AUTH}/register", json={**account, "name": "Al"})
        self.ask("login", anonymous, "POST", f"{AUTH}/login", json=login)
        wrong = {**login, "password": SECRET}
        self.ask("bad-login", anonymous, "POST", f"{AUTH}/login", json=wrong)
        note = {"title": SECRET, "body": SECRET, "tags": ["one", "two"]}
        made = self.ask("create", client, "POST", NOTES, json=note)
        path = f"{NOTES}/{made.json()['id']}"
        self.ask("list", client, "GET", f"{NOTES}?q={SECRET}&limit=5")
        self.ask("read", client, "GET", path)
        changed = {"If-Match": '"1"'}
        self.ask("patch", client, "PATCH", path, json={"title": "two"}, headers=changed)
        self.ask("delete", client, "DELETE", path)
        self.ask("missing", client, "GET", path)
        self.ask("nowhere", anonymous, "GET", f"/nowhere/{SECRET}")
        statuses = [answer.status for answer in self.answers.values()]
        assert statuses == [202, 200, 401, 201, 200, 200, 200, 204, 404, 404]


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=pytest.mark.xdist_group("traces")) for kind in DATABASES],
)
def both(
    request: pytest.FixtureRequest, database: Callable[[str], Database]
) -> Iterator[dict[str, Traced]]:
    kind = request.param
    with ExitStack() as stack:
        found = {}
        for name, which in stacks().items():
            project = stack.enter_context(baked(variant(which, database=kind)))
            server, traces = database(kind), stack.enter_context(collector())
            on = {"OTEL_EXPORTER_OTLP_ENDPOINT": traces.url, "OTEL_SERVICE_NAME": "traced"}
            operator = Booted(project, server, settings(server.fresh()) | on | SOON, stack)
            operator.migrate()
            app = operator.target()
            found[name] = Traced(app, traces, kind, app.person())
            found[name].live()
        yield found


def test_both_stacks_send_the_same_spans(both: dict[str, Traced]) -> None:
    flask, express = both["flask"].pairs(), both["express"].pairs()
    assert flask == express
    tops = {name for parent, name in flask if parent == "-"}
    assert tops >= {
        f"POST {AUTH}/login",
        f"POST {NOTES}",
        f"GET {NOTES}",
        f"GET {NOTES}/{{id}}",
        f"PATCH {NOTES}/{{id}}",
        f"DELETE {NOTES}/{{id}}",
        "GET unmatched",
    }
    assert flask >= {
        (f"POST {AUTH}/login", "INSERT sessions"),
        (f"POST {NOTES}", "INSERT notes"),
        (f"GET {NOTES}", "SELECT sessions"),
        (f"GET {NOTES}", "SELECT notes"),
        (f"DELETE {NOTES}/{{id}}", "DELETE notes"),
    }


def test_a_request_is_a_span(both: dict[str, Traced]) -> None:
    for traced in both.values():
        span, answer = traced.server("read"), traced.answers["read"]
        assert (span.name, span.parent, span.is_error) == (f"GET {NOTES}/{{id}}", "", False)
        assert span.attributes == {
            "http.request.method": "GET",
            "http.route": f"{NOTES}/{{id}}",
            "url.path": answer.path,
            "url.scheme": "http",
            "http.response.status_code": 200,
            "client.address": "127.0.0.1",
            "user.id": traced.person.id,
            "app.request_id": answer.header("X-Request-Id"),
        }
        assert span.resource["service.name"] == "traced"
        assert "user.id" not in traced.server("nowhere").attributes
        assert not traced.server("bad-login").is_error


def test_a_statement_is_a_span_in_it(both: dict[str, Traced]) -> None:
    for traced in both.values():
        server = traced.server("list")
        found = [span for span in traced.trace("list") if span is not server]
        # The session with its user, and the notes with their tags.
        assert sorted(span.name for span in found) == ["SELECT notes", "SELECT sessions"]
        for span in found:
            operation, table = span.name.split()
            assert (span.kind, span.parent, span.is_error) == ("CLIENT", server.id, False)
            assert span.attributes == {
                "db.system.name": SYSTEMS[traced.kind],
                "db.operation.name": operation,
                "db.collection.name": table,
            }


def test_no_span_tells_a_statement_or_a_value(both: dict[str, Traced]) -> None:
    for traced in both.values():
        for what in traced.answers:
            traced.trace(what)
        told = "\n".join(span.text for span in traced.collector.spans)
        person = traced.person
        words = [person.email, person.password, person.client.token or "?", "Ada", "INTO", "WHERE"]
        assert [word for word in words if word in told] == []
        # Of this only the path that nobody serves: it is where the request went.
        paths = [span for span in traced.collector.spans if SECRET in span.text]
        assert [span.attributes["url.path"] for span in paths] == [f"/nowhere/{SECRET}"]
        assert paths[0].text.count(SECRET) == 1
        names = {span.name for span in traced.collector.spans}
        assert [
            name for name in names if re.search(r"BEGIN|COMMIT|ROLLBACK|PRAGMA|SELECT 1", name)
        ] == []


def test_a_mail_is_a_span(both: dict[str, Traced]) -> None:
    for traced in both.values():
        sent = traced.collector.wait(
            lambda spans: any(span.name == "send mail" for span in spans), "a mail"
        )
        kinds = {span.kind for span in sent if span.name == "send mail"}
        assert kinds <= {"PRODUCER", "INTERNAL"}


def test_a_trace_of_the_caller_goes_on(both: dict[str, Traced]) -> None:
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    for name, traced in both.items():
        mark = f"parent-{name}"
        sent = {"X-Request-Id": mark, "traceparent": f"00-{trace}-{parent}-01"}
        traced.person.client.get(NOTES, headers=sent).expect(200)
        spans = traced.collector.of(mark)
        (server,) = [span for span in spans if span.kind == "SERVER"]
        assert {span.trace for span in spans} == {trace}
        assert server.parent == parent
        line = access_line(traced.app, mark)
        assert (line["trace_id"], line["span_id"]) == (trace, server.id)


def access_line(app: Target, mark: str) -> dict[str, Any]:
    for _ in range(100):
        lines = [json.loads(line) for line in app.operator.log().splitlines() if mark in line]
        for line in lines:
            if line["message"] == "request":
                return dict(line)
        time.sleep(0.03)
    raise AssertionError(f"no line of {mark}")


def test_a_failure_is_an_error(both: dict[str, Traced]) -> None:
    for traced in both.values():
        operator = traced.app.operator
        operator.sql("ALTER TABLE notes RENAME TO elsewhere")
        try:
            traced.ask("broken", traced.person.client, "GET", NOTES).expect(500)
        finally:
            operator.sql("ALTER TABLE elsewhere RENAME TO notes")
        server = traced.server("broken")
        assert (server.is_error, server.attributes["http.response.status_code"]) == (True, 500)
        # What the database said may name columns and values.
        assert [span.name for span in traced.trace("broken") if "elsewhere" in span.text] == []
        del traced.answers["broken"]


def test_probes_are_no_spans(both: dict[str, Traced]) -> None:
    for name, traced in both.items():
        for path in ("/healthz", "/readyz", "/metrics"):
            traced.app.client(METRICS_TOKEN).get(path).expect(200)
        mark = f"after-probes-{name}"
        traced.app.anonymous.get("/docs", headers={"X-Request-Id": mark, "Accept": "*/*"})
        traced.collector.of(mark)
        paths = {span.attributes.get("url.path") for span in traced.collector.spans}
        assert paths & {"/healthz", "/readyz", "/metrics"} == set()


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group("traces")) for name in stacks()],
)
def alone(request: pytest.FixtureRequest) -> Iterator[Booted]:
    """A migrated project that is not yet started."""
    with (
        baked(variant(stacks()[request.param], database="sqlite")) as project,
        ExitStack() as stack,
    ):
        operator = Booted(project, Sqlite(), settings(Sqlite().fresh()), stack)
        operator.migrate()
        yield operator


def test_what_was_seen_is_sent_before_the_end(alone: Booted) -> None:
    """Of each worker, though nothing was due yet; with the headers that were asked for."""
    on = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_EXPORTER_OTLP_HEADERS": "x-team=blue"}
    on["WEB_CONCURRENCY"] = "2"
    with collector() as traces:
        with alone.start(OTEL_EXPORTER_OTLP_ENDPOINT=traces.url, **on) as server:
            client = Client(server.ready().base)
            for _ in range(20):
                client.get(NOTES).expect(401)
            assert traces.spans == []
            server.signal(signal.SIGTERM)
            assert server.wait(10) == 0
        assert [span.name for span in traces.spans] == [f"GET {NOTES}"] * 20
        assert {span.resource["service.name"] for span in traces.spans} == {"my-app"}
        assert {sent.get("x-team") for sent in traces.headers} == {"blue"}


@pytest.mark.parametrize("kind", ["away", "silent"])
def test_a_collector_that_is_away_harms_nothing(alone: Booted, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if kind == "silent" else free_port()
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", **SOON}
        with alone.start(**on, SHUTDOWN_SECONDS="2") as server:
            client = Client(server.ready().base)
            began = time.monotonic()
            for _ in range(100):
                client.get(NOTES).expect(401)
            assert time.monotonic() - began < 5
            client.get("/readyz").expect(200)
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            assert server.wait(10) == 0
            assert time.monotonic() - began < 5
    for line in server.log.read_text().splitlines():
        assert "Traceback" not in json.loads(line).get("message", "")
    assert "Traceback" not in server.errors.read_text()


# Whoever imports it leaves a mark, and finds what it looked for all the same.
WATCH = """
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
registerHooks({
  resolve(specifier, context, next) {
    // The metrics' library asks for its interface, traces or not.
    const isOurs = !/prom-client/.test(context.parentURL);
    if (isOurs && /opentelemetry/.test(specifier)) appendFileSync(process.env.SEEN_IMPORTS, "x");
    return next(specifier, context);
  },
});
"""
WATCH_PYTHON = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("opentelemetry"):
            with open(os.environ["SEEN_IMPORTS"], "a") as file:
                file.write(name)
sys.meta_path.insert(0, Watch())
"""


def watched(alone: Booted, home: Path, **on: str) -> Server:
    """Start it with an eye on what it imports."""
    (home / "watch.mjs").write_text(WATCH)
    (home / "sitecustomize.py").write_text(WATCH_PYTHON)
    on |= {"SEEN_IMPORTS": str(home / "seen"), "PYTHONPATH": str(home)}
    return alone.start(**on, NODE_OPTIONS=f"--import=file://{home}/watch.mjs")


def test_off_means_that_nothing_of_it_is_loaded(alone: Booted, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    for endpoint, is_expected in (("", False), (f"http://127.0.0.1:{free_port()}", True)):
        with watched(alone, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as server:
            client = Client(server.ready().base)
            client.get(NOTES).expect(401)
            client.get("/docs", headers={"Accept": "*/*"}).expect(200)
        assert seen.exists() == is_expected
