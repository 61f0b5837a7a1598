"""Logs and metrics in use: one request found by its id, and each panel of the dashboard filled."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from boots import Booted, baked, settings
from prometheus import JOB, prometheus, queries
from services import Sqlite

from scaffold.contract.target import API, METRICS_TOKEN, Target, fresh_email, together
from scaffold.stacks import stacks
from scaffold.variants import variant

AUTH, NOTES = f"{API}/auth", f"{API}/notes"
PATIENCE = 30


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group("observed")) for name in stacks()],
)
def app(request: pytest.FixtureRequest) -> Iterator[Target]:
    """Two workers that share one log."""
    with (
        baked(variant(stacks()[request.param], database="sqlite")) as project,
        ExitStack() as stack,
    ):
        env = settings(Sqlite().fresh()) | {"WEB_CONCURRENCY": "2"}
        operator = Booted(project, Sqlite(), env, stack)
        operator.migrate()
        yield operator.target()


@contextmanager
def broken(app: Target) -> Iterator[None]:
    """While the table of notes has another name."""
    app.operator.sql("ALTER TABLE notes RENAME TO elsewhere")
    try:
        yield
    finally:
        app.operator.sql("ALTER TABLE elsewhere RENAME TO notes")


def lines(app: Target, mark: str) -> list[dict[str, Any]]:
    """Every line of a request, once its last is written."""
    end = time.monotonic() + 10
    while True:
        found = [json.loads(line) for line in app.operator.log().splitlines() if mark in line]
        if any(line["message"] == "request" for line in found) or time.monotonic() > end:
            assert {line["request_id"] for line in found} == {mark}
            return found
        time.sleep(0.03)


def test_a_failed_request_is_found_by_its_id(app: Target) -> None:
    """By what the answer says of it, whichever worker had it: who, what, and why with the stack."""
    person = app.person()
    marks = [f"failed-{secrets.token_hex(8)}" for _ in range(16)]
    with broken(app):
        ask = [
            lambda mark=mark: person.client.get(NOTES, headers={"X-Request-Id": mark})
            for mark in marks
        ]
        answers = together(ask)
    assert {answer.problem("internal")["request_id"] for answer in answers} == set(marks)
    for mark in marks:
        found = lines(app, mark)
        (access,) = [line for line in found if line["message"] == "request"]
        assert (access["status"], access["route"], access["user_id"]) == (500, NOTES, person.id)
        (error,) = [line for line in found if line is not access]
        assert error["level"] == "error"
        told = json.dumps(error)
        # Where it was, and what the database said; the caller learns neither.
        assert "no such table" in told
        assert "notes" in told
        assert "service." in told
    assert not any(b"such table" in answer.body for answer in answers)


def test_all_that_a_login_did_is_found_by_its_id(app: Target) -> None:
    account, mark = app.account(), f"login-{secrets.token_hex(8)}"
    login = {"email": account["email"], "password": account["password"]}
    sent = {"X-Request-Id": mark}
    user = app.anonymous.post(f"{AUTH}/login", login, headers=sent).expect(200).json()["user"]
    found = lines(app, mark)
    assert [line.get("event") for line in found] == ["login", None]
    assert found[0]["subject"] == user["id"]
    assert [found[1][key] for key in ("message", "status", "client")] == [
        "request",
        200,
        "127.0.0.1",
    ]


def busy(app: Target) -> None:
    """A little of everything a dashboard shows."""
    person = app.person()
    for _ in range(3):
        person.client.get(NOTES).expect(200, 500)
    app.note(person)
    wrong = {"email": fresh_email(), "password": "wrong"}
    app.anonymous.post(f"{AUTH}/login", wrong).expect(401)
    app.anonymous.get("/nowhere").expect(404)


def test_every_query_of_the_dashboard_has_data(app: Target) -> None:
    text = (app.operator.directory / "deploy" / "grafana" / "dashboard.json").read_text()
    asked = queries(text)
    assert len(asked) > 10
    with prometheus(app.host, METRICS_TOKEN) as collected:
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        end = time.monotonic() + PATIENCE
        while missing := [
            name for name, query in asked.items() if not shown(query, found.get(name))
        ]:
            assert time.monotonic() < end, f"no data for {missing}"
            busy(app)
            with broken(app):
                app.person().client.get(NOTES).expect(500)
            found = {name: collected.query(query) for name, query in asked.items()}
        labels = {name: [pair[0] for pair in series] for name, series in found.items()}
    assert labels["$job"] == [{"job": JOB}]
    routes = {one["route"] for one in labels["Requests per second by route A"]}
    assert routes >= {NOTES, f"{AUTH}/login", "unmatched"}
    assert {one["status"] for one in labels["Answers per second by status A"]} >= {"200", "500"}
    events = {one["event"] for one in labels["Security events per minute A"]}
    assert events >= {"login", "login.failed", "register"}
    ((_, share),) = found["Share of answers with 5xx A"]
    assert 0 < share < 0.5
    assert {one["state"] for one in labels["Database connections A"]} == {"used", "idle"}
    for name in found:
        if name.startswith("Latency"):
            assert all(0 < value <= 10 for _, value in found[name]), name
    memory = [value for _, value in found["Memory A"]]
    assert all(10 * 2**20 < value < 2**30 for value in memory)


def shown(query: str, series: list[tuple[dict[str, str], float]] | None) -> bool:
    """Whether there is data; what a query falls back to without any is none."""
    return bool(series) and not ("vector(0)" in query and series == [({}, 0)])
