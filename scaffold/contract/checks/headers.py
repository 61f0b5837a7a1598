"""Chapter 7: security headers and request ids, on every answer."""

from __future__ import annotations

import re
from functools import partial

from scaffold.contract.checks import check, equal, true
from scaffold.contract.client import Answer
from scaffold.contract.target import API, Person, Target

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), "
        "magnetometer=(), microphone=(), payment=(), usb=()"
    ),
}
OF_THE_API = {
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
STRICT, STAY = "Strict-Transport-Security", "max-age=63072000; includeSubDomains"
NEVER = ("Server", "X-Powered-By", "X-XSS-Protection")
MADE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def answers(app: Target, person: Person) -> list[Answer]:
    """One answer of each status the API can give at will."""
    client, note = person.client, f"{API}/notes/{app.note(person)['id']}"
    sends = (
        partial(client.get, note),
        partial(client.post, f"{API}/notes", {"title": "x"}),
        partial(app.anonymous.post, f"{API}/auth/register", app.account()),
        partial(client.request, "OPTIONS", f"{API}/notes"),
        partial(client.get, note, headers={"If-None-Match": '"1"'}),
        partial(client.request, "POST", f"{API}/notes", body=b"{"),
        partial(client.get, f"{API}/notes?q=%ff"),
        partial(app.anonymous.get, note),
        partial(client.get, f"{API}/users"),
        partial(client.get, "/nope"),
        partial(client.request, "PUT", note),
        partial(client.get, note, headers={"Accept": "text/html"}),
        partial(client.patch, note, {}, headers={"If-Match": '"9"'}),
        partial(client.request, "POST", f"{API}/notes", body=b" " * 1_100_000),
        partial(client.post, f"{API}/notes", {}, headers={"Content-Type": "text/plain"}),
        partial(client.post, f"{API}/notes", {}),
        partial(client.patch, note, {"title": "x"}),
    )
    return [send() for send in sends]


STATUSES = [200, 201, 202, 204, 304, 400, 400, 401, 403, 404, 405, 406, 412, 413, 415, 422, 428]


@check(
    7, "Every answer, errors too, carries the security headers", "ASVS 3.4.3, 3.4.4, 3.4.5, 3.4.6"
)
def security_headers(app: Target) -> None:
    found = answers(app, app.person())
    equal([answer.status for answer in found], STATUSES, "statuses")
    for answer in found:
        wanted = ALWAYS | OF_THE_API
        equal({name: answer.header(name) for name in wanted}, wanted, answer)
        equal([name for name in NEVER if answer.header(name)], [], f"{answer}: told")
        equal(answer.header(STRICT), STAY if app.is_https else None, answer)


@check(7, "What depends on a person is never stored by caches", "ASVS 14.3.2")
def no_store(app: Target) -> None:
    for answer in answers(app, app.person()):
        # What OPTIONS says is never cached (RFC 9110 9.3.7).
        if answer.path.startswith("/api") and answer.method != "OPTIONS":
            equal(answer.header("Cache-Control"), "no-store", answer)


@check(7, "Behind https browsers are told to stay there", "RFC 6797, ASVS 3.4.1")
def transport_security(app: Target) -> None:
    other = app if app.is_https else app.operator.boot(PUBLIC_URL="https://app.example")
    for path in ("/healthz", "/nope", f"{API}/notes", "/docs"):
        answer = other.anonymous.get(path, headers={"Accept": "*/*"})
        equal(answer.header(STRICT), STAY, answer)


@check(7, "An answer has a length, or no body at all", "RFC 9110 8.6, ASVS 4.2.2")
def lengths(app: Target) -> None:
    for answer in answers(app, app.person()):
        length = answer.header("Content-Length")
        if answer.status in {204, 304}:
            equal((answer.body, answer.header("Content-Type")), (b"", None), answer)
        else:
            equal(length, str(len(answer.body)), answer)


@check(7, "A request id is kept when it is well formed", "ASVS 16.2.1")
def request_id_kept(app: Target) -> None:
    for value in ("abcdefgh", "A.b_c-1234", "x" * 64):
        for path in ("/healthz", "/nope", f"{API}/notes"):
            answer = app.anonymous.get(path, headers={"X-Request-Id": value})
            equal(answer.header("X-Request-Id"), value, answer)


@check(7, "Any other request id is replaced", "ASVS 16.4.1")
def request_id_made(app: Target) -> None:
    seen = set()
    for value in (
        None,
        "",
        "short",
        "x" * 65,
        "has space",
        "quote\"'x",
        "é" * 8,
        "a{b}c<d>e",
        "a,b,c,d,e",
    ):
        answer = app.anonymous.get("/nope", headers={"X-Request-Id": value})
        made = answer.header("X-Request-Id") or ""
        true(MADE.fullmatch(made) and made != value, f"{value!r} became {made!r}")
        answer.problem("not-found")
        seen.add(made)
    equal(len(seen), 9, "different ids")


@check(7, "Refusals of strange requests carry the headers as well", "ASVS 3.4.4, 3.4.6")
def headers_on_bad_requests(app: Target) -> None:
    for path in ("/%00", f"{API}/notes/%ff", "/%zz", f"{API}/notes?q=%"):
        answer = app.anonymous.get(path)
        wanted = ALWAYS | OF_THE_API
        equal({name: answer.header(name) for name in wanted}, wanted, answer)
        true(MADE.fullmatch(answer.header("X-Request-Id") or ""), answer)
