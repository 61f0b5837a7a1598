"""Chapter 6: no input makes the app stumble or talk about itself."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any
from urllib.parse import quote

from scaffold.contract.checks import check, equal, true
from scaffold.contract.target import API, Target, fresh_email

NOTES = f"{API}/notes"
GOSSIP = (
    b"traceback",
    b"werkzeug",
    b"flask",
    b"express",
    b"sqlalchemy",
    b"typeorm",
    b"node:internal",
    b"node_modules",
    b"site-packages",
    b"select ",
    b"syntax error",
    b"<!doctype",
    b"<html",
    b"psycopg",
    b"sqlite",
)
NUL = "must not contain a NUL character or a lone surrogate"


def quiet(body: bytes, what: object) -> None:
    told = [word for word in GOSSIP if word in body.lower()]
    equal(told, [], f"{what} tells about the inside: {body[:300]!r}")


@check(6, "NUL and lone surrogates are refused in every text", "ASVS 2.2.1")
def hostile_text(app: Target) -> None:
    person = app.person()
    path = f"{NOTES}/{app.note(person)['id']}"
    etag = {"If-Match": '"1"'}
    for text in ("a\u0000b", "\ud800", "x\udfff", "\udc00\ud800"):
        for send, pointer in (
            (partial(person.client.post, NOTES, {"title": text}), "#/title"),
            (partial(person.client.post, NOTES, {"title": "t", "body": text}), "#/body"),
            (partial(person.client.post, NOTES, {"title": "t", "tags": [text]}), "#/tags/0"),
            (partial(person.client.patch, path, {"body": text}, headers=etag), "#/body"),
            (partial(person.client.patch, f"{API}/users/me", {"name": text}), "#/name"),
        ):
            answer = send()
            equal(answer.pointers(), [pointer], f"{text!r}: {answer}")
            equal(answer.json()["errors"][0]["detail"], NUL, answer)


@check(6, "NUL and lone surrogates are refused in passwords and addresses", "ASVS 2.2.1")
def hostile_credentials(app: Target) -> None:
    known = app.account()
    for text in ("twelve chars\u0000", "twelve chars\ud800"):
        login = {"email": known["email"], "password": text}
        equal(app.anonymous.post(f"{API}/auth/login", login).pointers(), ["#/password"], "login")
        login = {"email": text, "password": "x"}
        equal(app.anonymous.post(f"{API}/auth/login", login).pointers(), ["#/email"], "login")
        body = {"email": fresh_email(), "password": text, "name": "x"}
        equal(app.anonymous.post(f"{API}/auth/register", body).pointers(), ["#/password"], "x")


@check(6, "Text that nobody can read is refused before anything else is looked at", "ASVS 1.3.3")
def hostile_text_first(app: Target) -> None:
    for field, pointer in (("unknown", "#/unknown"), ("email", "#/email")):
        body: dict[str, Any] = {"email": "no address", "name": 1, field: "a\u0000b"}
        answer = app.anonymous.post(f"{API}/auth/register", body)
        equal(answer.pointers(), [pointer], answer)
        equal(answer.json()["errors"][0]["detail"], NUL, answer)


@check(6, "Hostile paths are nobody's path", "ASVS 5.3.2, 16.5.1")
def hostile_paths(app: Target) -> None:
    client = app.person().client
    for path in (
        "/%00",
        f"{NOTES}/%00",
        f"{NOTES}/%ff",
        f"{NOTES}/%C0%80",
        f"{NOTES}/%ED%A0%80",
        "/..%2f..%2fetc/passwd",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/%",
        "/%zz",
        f"{NOTES}/%u0041",
        "/" + "a" * 3000,
        "/a%0d%0aSet-Cookie:%20x=y",
        "/;/etc",
        "/%2e%2e/%2e%2e/etc/passwd",
    ):
        answer = client.get(path)
        true(answer.status in {400, 404, 414}, answer)
        equal(answer.header("Set-Cookie"), None, answer)
        quiet(answer.body.replace(path.encode(), b""), answer)
        answer.problem("not-found" if answer.status == 404 else "bad-request")


@check(6, "Hostile queries are refused, not stumbled over", "ASVS 1.1.1")
def hostile_queries(app: Target) -> None:
    client = app.person().client
    for query in ("q=%ff", "q=%C0%80", "q=%ED%A0%80", "q=%", "q=%zz", "%ff=x"):
        client.get(f"{NOTES}?{query}").problem("bad-request")
    for query in ("q=%00", "tag=a%00"):
        name = query[: query.index("=")]
        equal(client.get(f"{NOTES}?{query}").pointers(), [f"#/query/{name}"], query)
    for query in ("", "&", "&&&"):
        client.get(f"{NOTES}?{query}").expect(200)


@check(6, "What is encoded twice is decoded once", "ASVS 1.1.1")
def decoded_once(app: Target) -> None:
    person = app.person()
    for title in ("%25", "%", "&lt;b&gt;", "\\u0041"):
        equal(app.note(person, title)["title"], title, "title")
    found = person.client.get(f"{NOTES}?q=%2525").expect(200).json()["items"]
    equal([note["title"] for note in found], ["%25"], "notes found by %2525")
    for path in ("/static/%252e%252e/config.py", f"{NOTES}%2541", "/%2568ealthz"):
        person.client.get(path, headers={"Accept": "*/*"}).problem("not-found")


@check(6, "Hostile headers are refused or ignored, never a 5xx", "ASVS 4.1.3, 16.5.1")
def hostile_headers(app: Target) -> None:
    person = app.person()
    path = f"{NOTES}/{app.note(person)['id']}"
    for name, value in (
        ("If-Match", '"'),
        ("If-Match", "é🜁"),
        ("If-Match", '"1' * 2000),
        ("If-None-Match", ',,,"'),
        ("Accept", ";;;q=x"),
        ("Accept", "*/*;q=nan"),
        ("Content-Type", "application/json;charset=nope"),
        ("Authorization", "Bearer é🜁"),
        ("Cookie", "session=é; session=x; =; ;;"),
        ("Origin", "\u00ff://"),
        ("X-Forwarded-For", "'; DROP TABLE users"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("traceparent", "00-zz-zz-zz"),
        ("Range", "bytes=0-1"),
        ("Expect", "42"),
        ("Content-Encoding", "gzip"),
    ):
        for method in ("GET", "PATCH"):
            send: dict[str, Any] = {"json": {"title": "x"}} if method == "PATCH" else {}
            answer = person.client.request(method, path, headers={name: value}, **send)
            true(answer.status < 500, f"{name}: {value!r}: {answer}")
            quiet(answer.body, answer)
    person.client.get(path).expect(200)


@check(6, "Bytes that are no HTTP get a refusal without gossip", "RFC 9112, ASVS 16.5.1")
def hostile_bytes(app: Target) -> None:
    host = app.host.encode()
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 50 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: " + host + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\nBad Header: x\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: x\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ):
        answer = app.anonymous.raw(data, 3)
        true(re.match(rb"HTTP/1\.[01] 400 ", answer), f"{data[:40]!r}: {answer[:100]!r}")
        true(b"application/problem+json" in answer, f"{data[:40]!r}: {answer[:500]!r}")
        quiet(answer, data[:40])
    app.anonymous.get("/healthz").expect(200)


@check(6, "Huge numbers and strange keys are validation errors", "ASVS 1.4.2, 15.3.6")
def hostile_json(app: Target) -> None:
    client = app.person().client
    for body in (b'{"title": 1e400}', b'{"title": ' + b"9" * 5000 + b"}", b'{"title": -0.0}'):
        equal(client.request("POST", NOTES, body=body).pointers(), ["#/title"], body[:20])
    keys = ["__proto__", "constructor", "toString", "\u202e", "a/b~c", "x" * 500]
    for key in keys:
        pointer = "#/" + quote(key.replace("~", "~0").replace("/", "~1"), safe="-_.!~*'()")
        answer = client.request("POST", NOTES, body=json.dumps({"title": "t", key: 1}).encode())
        equal(answer.pointers(), [pointer], key)


@check(6, "SQL in any field stays text", "ASVS 1.2.4")
def injection(app: Target) -> None:
    person = app.person()
    for text in ("'; DROP TABLE notes; --", '" OR ""="', "${7*7}{{7*7}}", "%s%n", "\\'; --"):
        note = app.note(person, text, body=text, tags=[text])
        equal([note["title"], note["body"], *note["tags"]], [text] * 3, text)
        login = {"email": text, "password": text}
        app.anonymous.post(f"{API}/auth/login", login).problem("invalid-credentials")
