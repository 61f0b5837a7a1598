"""Chapters 2, 6, 7 and 9: a probe may be answered first, and keeps every promise all the same."""

from __future__ import annotations

import json
import secrets
from functools import partial

from scaffold.contract.checks import check, equal, eventually, true
from scaffold.contract.checks.headers import ALWAYS, MADE, NEVER, OF_THE_API, STAY, STRICT
from scaffold.contract.checks.logs import asked
from scaffold.contract.checks.operations import count
from scaffold.contract.client import Answer
from scaffold.contract.target import Target, together

PROBE = "/healthz"
# What differs from one answer to the next.
OWN = {"date", "x-request-id"}


@check(7, "The first probe carries every header too", "RFC 9110 9.3.1")
def probe_headers(app: Target) -> None:
    for path in (PROBE, f"{PROBE}?x=1"):
        answer = app.anonymous.get(path).expect(200)
        wanted = ALWAYS | OF_THE_API | {"Cache-Control": "no-store"}
        wanted |= {"Content-Type": "application/json", "Content-Length": str(len(answer.body))}
        wanted |= {STRICT: STAY} if app.is_https else {}
        equal({name: answer.header(name) for name in wanted}, wanted, answer)
        equal([name for name in NEVER if answer.header(name)], [], f"{answer}: told")
        true(answer.header("Date"), f"{answer}: no Date")
    for bad in ("short", "x" * 65, 'quo"te"quo"te'):
        answer = app.anonymous.get(PROBE, headers={"X-Request-Id": bad})
        made = answer.header("X-Request-Id") or ""
        true(MADE.fullmatch(made) and made != bad, f"{bad!r} became {made!r}")


@check(7, "HEAD on a probe is GET without the body", "RFC 9110 9.3.2")
def probe_head(app: Target) -> None:
    for path, keys in ((PROBE, {"status"}), ("/readyz", {"status", "checks"})):
        get, head = app.anonymous.get(path).expect(200), app.anonymous.request("HEAD", path)
        equal(set(get.json()), keys, get)
        equal((head.status, head.body), (200, b""), head)
        equal(told(head), told(get), head)


def told(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers if name.lower() not in OWN}


@check(6, "A probe takes no other method and no other path", "RFC 9110 15.5.6")
def probe_methods(app: Target) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = app.anonymous.request(method, PROBE)
        answer.problem("method-not-allowed")
        allowed = {name.strip() for name in (answer.header("Allow") or "").split(",")}
        equal(allowed - {"OPTIONS"}, {"GET", "HEAD"}, f"{answer}: Allow")
    for path in (f"{PROBE}/", f"{PROBE}x", "/HEALTHZ", f"/x{PROBE}"):
        app.anonymous.get(path).problem("not-found")


@check(2, "Probes are counted like any request")
def probes_counted(app: Target) -> None:
    labels = {"method": "HEAD", "route": PROBE, "status": "200"}
    before = count(app, **labels)
    together([partial(app.anonymous.request, "HEAD", PROBE)] * 8)
    eventually(lambda: count(app, **labels), before + 8, "probes counted")
    labels["method"] = "GET"
    before = count(app, **labels)
    app.anonymous.get(PROBE)
    # Others may ask it as well.
    eventually(lambda: count(app, **labels) > before, expected=True, what="GET counted")


@check(9, "For debugging, probes are logged with all the others' keys", "W3C Trace Context")
def probes_logged(app: Target) -> None:
    other, mark, trace = app.operator.boot(LOG_LEVEL="debug"), asked(), secrets.token_hex(16)
    parent = f"00-{trace}-{secrets.token_hex(8)}-01"
    other.anonymous.get(PROBE, headers={"X-Request-Id": mark, "traceparent": parent}).expect(200)

    def found() -> list[dict[str, object]]:
        log = other.operator.log()
        lines = [json.loads(line) for line in log.splitlines() if mark in line]
        keys = ("level", "message", "method", "route", "status", "client", "trace_id")
        return [{key: line.get(key) for key in keys} for line in lines]

    line: dict[str, object] = {
        "level": "debug",
        "message": "request",
        "method": "GET",
        "route": PROBE,
    }
    line |= {"status": 200, "client": app.operator.client_address, "trace_id": trace}
    eventually(found, [line], "lines of a probe")
