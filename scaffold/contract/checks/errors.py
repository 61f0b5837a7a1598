"""Chapter 6: errors are problem details, everywhere, with nothing else."""

from __future__ import annotations

import time

from scaffold.contract.checks import check, equal, true
from scaffold.contract.client import read_all
from scaffold.contract.target import API, Target

NOTES = f"{API}/notes"
MIB = 1 << 20


@check(
    6,
    "A path nobody serves is a problem, before anybody is asked who he is",
    "RFC 9457, ASVS 13.4.1",
)
def unknown_path(app: Target) -> None:
    for path in ("/", "/nope", f"{API}", f"{API}/", f"{API}/nope", f"{NOTES}/", "/healthz/"):
        found = app.anonymous.get(path).problem("not-found")
        equal(found["instance"], path, path)
    for path in (NOTES.upper(), f"/{API}/notes", "/api//v1/notes", "/admin", "/.env", "/.git/HEAD"):
        app.anonymous.get(path).problem("not-found")
    found = app.anonymous.post("/nope?token=secret", {}).problem("not-found")
    equal(found["instance"], "/nope", "instance carries no query")


@check(6, "A wrong method names the allowed ones", "RFC 9110 15.5.6, ASVS 13.4.4")
def wrong_method(app: Target) -> None:
    for method, path, allowed in (
        ("PUT", NOTES, {"GET", "HEAD", "POST", "OPTIONS"}),
        ("DELETE", NOTES, {"GET", "HEAD", "POST", "OPTIONS"}),
        ("POST", f"{API}/users/me", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("GET", f"{API}/auth/login", {"POST", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", f"{NOTES}/x", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("TRACE", NOTES, {"GET", "HEAD", "POST", "OPTIONS"}),
    ):
        answer = app.anonymous.request(method, path)
        answer.problem("method-not-allowed")
        found = {name.strip() for name in (answer.header("Allow") or "").split(",")}
        equal(found | {"OPTIONS"}, allowed, f"{answer}: Allow")


@check(6, "OPTIONS tells what a path can do", "RFC 9110 9.3.7")
def options(app: Target) -> None:
    answer = app.anonymous.request("OPTIONS", NOTES).expect(204)
    found = {name.strip() for name in (answer.header("Allow") or "").split(",")}
    true({"GET", "HEAD", "POST"} <= found, f"Allow: {found}")
    app.anonymous.request("OPTIONS", "/nope").problem("not-found")


@check(6, "Malformed JSON is told from invalid JSON", "RFC 8259, ASVS 1.5.2, 15.3.7")
def malformed_json(app: Target) -> None:
    client = app.person().client
    for body in (
        b"",
        b"{",
        b"{'title': 'x'}",
        b'{"title": "x",}',
        b'{"title": "x"} x',
        b'{"title": NaN}',
        b'{"title": "x", "body": Infinity}',
        b'{"title": "a", "title": "b"}',
        b'{"title": "\xff"}',
        b'\xef\xbb\xbf{"title": "x"}',
        '{"title": "x"}'.encode("utf-16"),
        b'{"title": "x", "tags": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"title": "\x00"}',
        b'{"title": "a\nb"}',
    ):
        client.request("POST", NOTES, body=body).problem("malformed-json")


@check(6, "A body that is no object is invalid", "RFC 9457")
def not_an_object(app: Target) -> None:
    client = app.person().client
    for value in ([], "x", 1, None, True, [{"title": "x"}]):
        answer = client.post(NOTES, value)
        equal(answer.pointers(), ["#"], value)
        equal(answer.json()["errors"][0]["detail"], "must be an object", value)


@check(6, "Only JSON is read", "RFC 9110 15.5.16, ASVS 3.5.2")
def media_type(app: Target) -> None:
    client = app.person().client
    bad = ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "x", "", None)
    for kind in (*bad, "application/xml", "multipart/form-data; boundary=x", "text/json"):
        answer = client.request(
            "POST", NOTES, body=b'{"title":"x"}', headers={"Content-Type": kind}
        )
        answer.problem("unsupported-media-type")
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/json;x=y"):
        client.request("POST", NOTES, body=b'{"title":"x"}', headers={"Content-Type": kind}).expect(
            201
        )
    zipped = {"Content-Encoding": "gzip"}
    client.post(NOTES, {"title": "x"}, headers=zipped).problem("unsupported-media-type")
    merge = {"Content-Type": "application/merge-patch+json"}
    client.post(NOTES, {"title": "x"}, headers=merge).problem("unsupported-media-type")


@check(6, "What cannot be answered as JSON is refused", "RFC 9110 12.5.1")
def not_acceptable(app: Target) -> None:
    client = app.person().client
    for accept in ("text/html", "application/xml", "image/*"):
        client.get(NOTES, headers={"Accept": accept}).problem("not-acceptable")
    good = ("*/*", "application/*", "application/json", "application/problem+json", "", None)
    for accepted in (*good, "text/html, application/json;q=0.5", "text/html,*/*;q=0.1"):
        client.get(NOTES, headers={"Accept": accepted}).expect(200)


@check(6, "A body over one mebibyte is refused, and one of a mebibyte is read", "ASVS 15.2.2")
def body_size(app: Target) -> None:
    client = app.person().client
    start, end = b'{"title":"x"', b"}"
    fits = start + b" " * (MIB - len(start) - len(end)) + end
    client.request("POST", NOTES, body=fits).expect(201)
    client.request("POST", NOTES, body=fits.replace(b'"}', b'" }', 1) + b" ").problem(
        "content-too-large"
    )


def head(app: Target, token: str | None, *lines: str) -> bytes:
    host = app.host
    fixed = (f"POST {NOTES} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}")
    more = ("Content-Type: application/json", "Connection: close", *lines, "", "")
    return "\r\n".join((*fixed, *more)).encode()


@check(6, "A body announced as too large is refused before it is sent", "ASVS 15.2.2")
def body_announced(app: Target) -> None:
    client = app.person().client
    begin = time.monotonic()
    with client.connect(10) as connection:
        connection.sendall(head(app, client.token, "Content-Length: 1000000000"))
        answer = read_all(connection)
    true(answer.startswith(b"HTTP/1.1 413"), f"announced 1 GB: {answer[:200]!r}")
    true(time.monotonic() - begin < 8, "it took as long as waiting for the body")
    true(b"/problems/content-too-large" in answer, answer)


@check(6, "A body that grows too large is cut off while it is sent", "ASVS 15.2.2")
def body_chunked(app: Target) -> None:
    client = app.person().client
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    sent = 0
    with client.connect(10) as connection:
        connection.sendall(head(app, client.token, "Transfer-Encoding: chunked"))
        try:
            while sent < 64:
                connection.sendall(chunk)
                sent += 1
        except OSError:
            pass
        answer = read_all(connection)
    true(answer.startswith(b"HTTP/1.1 413") or (not answer and sent < 64), f"{answer[:200]!r}")
    client.get(NOTES).expect(200)


@check(6, "A chunked body within the limit is read", "ASVS 4.2.1")
def body_chunked_small(app: Target) -> None:
    client = app.person().client
    data = head(app, client.token, "Transfer-Encoding: chunked")
    data += b'8\r\n{"title"\r\n5\r\n:"x"}\r\n0\r\n\r\n'
    answer = client.raw(data, 10)
    true(answer.startswith(b"HTTP/1.1 201"), f"{answer[:300]!r}")


@check(6, "The order of refusals tells strangers nothing", "ASVS 8.2.1")
def order(app: Target) -> None:
    anonymous, person = app.anonymous, app.person()
    large = b" " * (MIB + 1)
    anonymous.request("POST", NOTES, body=b"{").problem("unauthenticated")
    anonymous.request("POST", NOTES, body=large).problem("unauthenticated")
    anonymous.get(f"{NOTES}?limit=0").problem("unauthenticated")
    person.client.get(f"{API}/users?limit=0").problem("forbidden")
    text = {"Content-Type": "text/plain"}
    person.client.request("POST", NOTES, body=large, headers=text).problem("content-too-large")
    text["Accept"] = "text/html"
    person.client.request("POST", NOTES, body=b"{", headers=text).problem("unsupported-media-type")
    html = {"Accept": "text/html"}
    person.client.request("POST", NOTES, body=b"{", headers=html).problem("not-acceptable")
    path = f"{NOTES}/{app.note(person)['id']}"
    equal(person.client.patch(path, {"x": 1}).pointers(), ["#/x"], "422 before 428")


@check(6, "Two media types are none", "RFC 9110 8.3, ASVS 15.3.7")
def media_type_twice(app: Target) -> None:
    client = app.person().client
    for kinds in (("application/json", "text/plain"), ("text/plain", "application/json")):
        lines = [f"Content-Type: {kind}" for kind in kinds]
        data = head(app, client.token, *lines, "Content-Length: 13") + b'{"title":"x"}'
        # The helper sends one of its own as well.
        answer = client.raw(data.replace(b"Content-Type: application/json\r\n", b"", 1), 5)
        true(answer.startswith(b"HTTP/1.1 4"), f"{kinds}: {answer[:200]!r}")
