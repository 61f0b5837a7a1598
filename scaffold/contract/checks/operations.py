"""Chapter 2: probes and metrics."""

from __future__ import annotations

import re

from scaffold.contract.checks import check, equal, eventually, true
from scaffold.contract.target import API, Target, together

BUCKETS = [".005", ".01", ".025", ".05", ".1", ".25", ".5", "1", "2.5", "5", "10"]
LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")


def metrics(app: Target) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample: (name, labels) → value."""
    text = app.client(app.operator.metrics_token).get("/metrics").expect(200).body.decode()
    found = {}
    for line in text.splitlines():
        if match := LINE.match(line):
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            found[match[1], labels] = float(match[3])
    return found


def count(app: Target, **labels: str) -> float:
    """How many requests with these labels the app has counted."""
    return sum(
        value
        for (name, have), value in metrics(app).items()
        if name == "http_request_duration_seconds_count" and set(labels.items()) <= have
    )


@check(2, "healthz says that the process lives")
def healthz(app: Target) -> None:
    answer = app.anonymous.get("/healthz").expect(200)
    equal(answer.json(), {"status": "ok"}, answer)
    equal(answer.header("Content-Type"), "application/json", answer)
    equal(answer.header("Cache-Control"), "no-store", answer)


@check(2, "readyz names its checks; valkey only when there is one")
def readyz(app: Target) -> None:
    found = app.anonymous.get("/readyz").expect(200).json()
    expected = {"database": "ok"} | ({"valkey": "ok"} if app.operator.valkey else {})
    equal(found, {"status": "ok", "checks": expected}, "readyz")


@check(2, "Probes are not limited and carry no limit headers")
def probes_unlimited(app: Target) -> None:
    other = app.operator.boot(**LOW)
    for path in ("/healthz", "/readyz") * (2 * int(LOW["RATE_LIMIT"].split("/")[0])):
        answer = other.client(**{"X-Forwarded-For": "192.0.2.77"}).get(path).expect(200)
        equal(answer.header("RateLimit"), None, answer)


LOW = {"RATE_LIMIT": "10/hour", "RATE_LIMIT_AUTH": "5/hour", "TRUSTED_PROXIES": "1"}


@check(2, "Metrics want their token", "ASVS 13.4.5")
def metrics_token(app: Target) -> None:
    answer = app.anonymous.get("/metrics")
    answer.problem("unauthenticated")
    true((answer.header("WWW-Authenticate") or "").startswith("Bearer"), answer)
    app.client(app.operator.metrics_token[:-1]).get("/metrics").problem("unauthenticated")
    app.client(app.operator.metrics_token + "x").get("/metrics").problem("unauthenticated")
    answer = app.client(app.operator.metrics_token).get("/metrics").expect(200)
    true((answer.header("Content-Type") or "").startswith("text/plain; version="), answer)


@check(2, "Without a token metrics are hidden in production", "ASVS 13.4.5")
def metrics_hidden(app: Target) -> None:
    other = app.operator.boot(METRICS_TOKEN="")
    other.anonymous.get("/metrics").problem("not-found")


@check(2, "Without a token metrics are open in development")
def metrics_open(app: Target) -> None:
    other = app.operator.boot(APP_ENV="development", SECRET_KEYS="", METRICS_TOKEN="")
    other.anonymous.get("/metrics").expect(200)


@check(2, "Metrics have the agreed names, labels and buckets")
def metrics_names(app: Target) -> None:
    app.anonymous.get(f"{API}/notes").expect(401)
    found = metrics(app)
    names = {name for name, _ in found}
    wanted = {"http_requests_in_flight", "db_pool_connections", "process_start_time_seconds"}
    wanted |= {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
    equal(sorted(wanted - names), [], "missing metrics")
    for name, labels in found:
        if name == "http_request_duration_seconds_count":
            equal({key for key, _ in labels}, {"method", "route", "status"}, "labels")
    states = {dict(k)["state"] for name, k in found if name == "db_pool_connections"}
    equal(states, {"used", "idle"}, "states of connections")
    limits = {dict(k)["le"] for n, k in found if n == "http_request_duration_seconds_bucket"}
    finite = {float(limit) for limit in limits} - {float("inf")}
    equal(sorted(finite), [float(bucket) for bucket in BUCKETS], "buckets")


@check(2, "Routes are named by template, and paths nobody serves share one name")
def metrics_routes(app: Target) -> None:
    person = app.person()
    note = app.note(person)
    person.client.get(f"{API}/notes/{note['id']}").expect(200)
    app.anonymous.get("/such/paths/are/not-served-here").expect(404)

    def routes() -> set[str]:
        return {dict(labels).get("route", "") for _, labels in metrics(app)}

    wanted = {f"{API}/notes/{{id}}", "unmatched"}
    eventually(lambda: routes() & wanted, wanted, "routes")
    strange = [r for r in routes() if note["id"] in r or "not-served" in r or "<" in r or ":" in r]
    equal(strange, [], "raw paths among the routes")


@check(2, "Requests are counted exactly, over all processes")
def metrics_exact(app: Target) -> None:
    person = app.person()
    labels = {"method": "DELETE", "route": f"{API}/auth/sessions/{{id}}", "status": "404"}
    path = f"{API}/auth/sessions/00000000-0000-7000-8000-000000000000"
    before = count(app, **labels)
    together([lambda: person.client.delete(path).expect(404)] * 12)
    eventually(lambda: count(app, **labels), before + 12, "requests counted")


def events(app: Target, names: tuple[str, ...]) -> list[float]:
    """How often each event was counted."""
    found = metrics(app)
    return [found.get(("auth_events_total", frozenset({("event", name)})), 0) for name in names]


@check(2, "Security events are counted by name", "ASVS 16.3.1")
def metrics_events(app: Target) -> None:
    names = ("register", "login", "login.failed", "logout")
    before = events(app, names)
    person = app.person()
    wrong = {**person.login, "password": "not the password"}
    app.anonymous.post(f"{API}/auth/login", wrong).expect(401)
    person.client.post(f"{API}/auth/logout").expect(204)
    eventually(lambda: events(app, names), [value + 1 for value in before], names)
