"""Chapter 6: every body of the API, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.documented import SOME, Operation, is_text, operations, owned
from scaffold.contract.client import Client
from scaffold.contract.target import Target

NO_TEXT: tuple[Any, ...] = (7, None, True, [], {}, ["x"], {"$ne": ""})

NO_OBJECT: tuple[Any, ...] = ([], "x", 1, None)


def reachable(app: Target) -> Iterator[tuple[Operation, Client, str]]:
    """Each operation with a body that anybody reaches, with somebody who may and his id."""
    person = app.person()
    own = owned(app, person)
    for operation in operations(app):
        identity = own.get(operation.path, SOME)
        if operation.body is None:
            continue
        if operation.send(person.client, [], identity).status != 403:
            yield operation, person.client, identity


@check(6, "No body takes a field that it does not know", "OWASP API3:2023, ASVS 15.3.3")
def body_unknown_fields(app: Target) -> None:
    tried = 0
    for operation, client, identity in reachable(app):
        for field in ("unexpected", "role", "user_id", "__proto__", "password_hash"):
            if field in (operation.body or {}):
                continue
            answer = operation.send(client, {field: "admin"}, identity)
            found = {e["pointer"]: e["detail"] for e in answer.problem("validation")["errors"]}
            equal(found.get(f"#/{field}"), "is not allowed", f"{operation}: {field}")
        tried += 1
    true(tried > 10, f"only {tried} bodies")


@check(6, "No body takes another type for text", "ASVS 15.3.5")
def body_types(app: Target) -> None:
    for operation, client, identity in reachable(app):
        for field, schema in (operation.body or {}).items():
            for value in NO_TEXT if is_text(schema) else ():
                answer = operation.send(client, {field: value}, identity)
                true(f"#/{field}" in answer.pointers(), f"{operation}: {field} = {value!r}")


@check(6, "No text of any body holds a NUL or a lone surrogate", "ASVS 1.3.3, 2.2.1")
def body_hostile_text(app: Target) -> None:
    for operation, client, identity in reachable(app):
        for field, schema in (operation.body or {}).items():
            for value in ("a long text\u0000", "a long text\ud800") if is_text(schema) else ():
                answer = operation.send(client, {field: value}, identity)
                true(f"#/{field}" in answer.pointers(), f"{operation}: {field} = {value!r}")


@check(6, "No text of any body is longer than its document says", "ASVS 2.2.1")
def body_lengths(app: Target) -> None:
    for operation, client, identity in reachable(app):
        for field, schema in (operation.body or {}).items():
            most = schema.get("maxLength")
            if most:
                answer = operation.send(client, {field: "x" * (most + 1)}, identity)
                true(f"#/{field}" in answer.pointers(), f"{operation}: {field} of {most + 1}")


@check(6, "Every body is one JSON object, and sent as JSON", "RFC 8259, ASVS 3.5.2")
def body_forms(app: Target) -> None:
    for operation, client, identity in reachable(app):
        for value in NO_OBJECT:
            answer = operation.send(client, value, identity)
            equal(answer.pointers(), ["#"], f"{operation}: {value!r}")
        path, match = operation.at(identity), {"If-Match": "*"}
        for data in (b"", b"{", b'{"a":1,"a":2}', b"[" * 50_000, b'{"a":"\xff"}'):
            answer = client.request(operation.method, path, body=data, headers=match)
            answer.problem("malformed-json")
        # What a form of another site could send without asking first.
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            headers = {**match, "Content-Type": kind}
            answer = client.request(operation.method, path, body=b"{}", headers=headers)
            answer.problem("unsupported-media-type")
