"""Chapter 9: log lines carry the request id and never a secret."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.resets import mailed
from scaffold.contract.checks.secondfactor import guarded, login
from scaffold.contract.client import NOTHING, Broken
from scaffold.contract.target import API, Target, fresh_password
from scaffold.contract.totp import code

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|\+00:00)")
LEVELS = {"debug", "info", "warning", "error"}


def lines(app: Target, request_id: str, message: str = "") -> list[dict[str, Any]]:
    """The lines of one request; waits a moment for the access line to be written."""
    for _ in range(100):
        found = [json.loads(line) for line in app.operator.log().splitlines() if request_id in line]
        if any(not message or line["message"] == message for line in found):
            return found
        time.sleep(0.03)
    raise Broken(f"no log line of {request_id}")


def asked() -> str:
    """A request id of one's own."""
    return f"check-{secrets.token_hex(8)}"


@check(9, "Each request writes one line with the agreed keys", "ASVS 16.2.1, 16.2.2")
def log_keys(app: Target) -> None:
    person, mark = app.person(), asked()
    note = app.note(person)
    path = f"{API}/notes/{note['id']}"
    person.client.get(path, headers={"X-Request-Id": mark}).expect(200)
    (line,) = [line for line in lines(app, mark, "request") if line["message"] == "request"]
    wanted = {"level": "info", "request_id": mark, "method": "GET", "status": 200}
    wanted |= {
        "route": f"{API}/notes/{{id}}",
        "client": app.operator.client_address,
        "user_id": person.id,
    }
    equal({key: line.get(key) for key in wanted}, wanted, "access line")
    true(isinstance(line.get("duration_ms"), int | float) and line["duration_ms"] >= 0, line)
    true(MOMENT.fullmatch(line.get("time", "")), line)


@check(9, "Standard output is JSON, line by line", "ASVS 16.2.4")
def log_json(app: Target) -> None:
    app.anonymous.get("/nope").expect(404)
    for line in app.operator.log().splitlines():
        found = json.loads(line)
        equal({"time", "level", "message"} - set(found), set(), line)
        true(found["level"] in LEVELS, line)


@check(9, "Nothing secret is ever logged", "ASVS 16.2.5")
def log_secrets(app: Target) -> None:
    person, mark = app.person(), asked()
    wrong = f"wrong {secrets.token_hex(8)}"
    sent = {"email": person.email, "password": wrong}
    app.anonymous.post(f"{API}/auth/login", sent, headers={"X-Request-Id": mark}).expect(401)
    body = secrets.token_hex(12)
    app.note(person, body, body=body)
    cookie = secrets.token_hex(16)
    app.client(Cookie=f"session={cookie}").get(f"{API}/notes?q={body}")
    person.client.request("POST", f"{API}/notes", body=f'{{"{body}'.encode()).expect(400)
    person.client.delete(f"{API}/users/me", {"password": wrong}).expect(401)
    last = asked()
    app.anonymous.get(f"/nope?token={cookie}", headers={"X-Request-Id": last}).expect(404)
    lines(app, last)
    log = app.operator.log()
    token = person.client.token or "?"
    told = [name for name in (wrong, person.password, token, body, cookie) if name in log]
    equal(told, [], "secrets in the log")


@check(9, "Security events are logged by name, with who and from where", "ASVS 16.3.1")
def log_events(app: Target) -> None:
    person = app.person()
    for name, sent in (
        ("login.failed", {"email": person.email, "password": "wrong"}),
        ("login", person.login),
    ):
        mark = asked()
        app.anonymous.post(f"{API}/auth/login", sent, headers={"X-Request-Id": mark})
        events = [line for line in lines(app, mark, "request") if line.get("event") == name]
        equal(len(events), 1, f"lines with event {name}")
    mark = asked()
    person.client.post(f"{API}/auth/logout", headers={"X-Request-Id": mark}).expect(204)
    names = [line.get("event") for line in lines(app, mark, "request")]
    true("logout" in names, names)


@check(9, "Refusals leave their line, with the status and who it was", "ASVS 16.3.2, 16.3.3")
def log_refusals(app: Target) -> None:
    person, stranger = app.person(), app.person()
    note = f"{API}/notes/{app.note(stranger)['id']}"
    page = app.client(**app.cookie(person.client.token), **{"Sec-Fetch-Site": "cross-site"})
    for status, client, method, path in (
        (401, app.anonymous, "GET", note),
        (403, person.client, "GET", f"{API}/users"),
        (403, page, "DELETE", note),
        (404, person.client, "GET", note),
        (422, person.client, "POST", f"{API}/notes"),
    ):
        mark = asked()
        json = {} if method == "POST" else NOTHING
        client.request(method, path, json=json, headers={"X-Request-Id": mark}).expect(status)
        (line,) = [line for line in lines(app, mark, "request") if line["message"] == "request"]
        who = None if client is app.anonymous or status == 401 else person.id
        equal((line["status"], line.get("user_id")), (status, who), f"line of {method} {path}")


@check(9, "What a second factor is made of is never logged", "ASVS 16.2.5")
def log_factor_secrets(app: Target) -> None:
    found = guarded(app)
    login(app, found.person, found.recovery[0]).expect(200)
    login(app, found.person, "wrong-code-of-mine").expect(401)
    now = code(found.secret)
    login(app, found.person, now).expect(200)
    token, new = mailed(app, found.person.email), fresh_password()
    spent = {"token": token, "password": new}
    app.anonymous.post(f"{API}/auth/password/reset", spent).expect(204)
    last = asked()
    app.anonymous.get("/nope", headers={"X-Request-Id": last}).expect(404)
    lines(app, last)
    log = app.operator.log()
    words = (found.secret, *found.recovery, f'"{now}"', token, new, "wrong-code-of-mine")
    equal([word for word in words if word in log], [], "secrets in the log")


@check(9, "A caller cannot write log lines of his own", "ASVS 16.4.1")
def log_injection(app: Target) -> None:
    mark = asked()
    forged = '%0a{"level":"info","message":"forged"}'.replace('"', "%22")
    headers = {"X-Request-Id": mark, "User-Agent": 'x"}\t{"message":"forged"'}
    app.anonymous.get(f"/x{forged}?q={forged}", headers=headers)
    lines(app, mark)
    for line in app.operator.log().splitlines():
        true(json.loads(line)["message"] != "forged", line)


@check(9, "A trace id is understood and logged", "W3C Trace Context")
def log_trace(app: Target) -> None:
    mark, trace = asked(), secrets.token_hex(16)
    headers = {"X-Request-Id": mark, "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    app.anonymous.get("/nope", headers=headers)
    equal(lines(app, mark, "request")[-1].get("trace_id"), trace, "trace_id")
    mark = asked()
    headers = {"X-Request-Id": mark, "traceparent": f"00-{'0' * 32}-{'1' * 16}-01"}
    app.anonymous.get("/nope", headers=headers)
    true("trace_id" not in lines(app, mark, "request")[-1], "a bad traceparent is ignored")


@check(9, "Probes are not logged above debug")
def log_probes(app: Target) -> None:
    probe, after = asked(), asked()
    for path in ("/healthz", "/readyz"):
        app.anonymous.get(path, headers={"X-Request-Id": probe}).expect(200)
    app.anonymous.get("/nope", headers={"X-Request-Id": after})
    lines(app, after)
    true(probe not in app.operator.log(), "a probe was logged")
