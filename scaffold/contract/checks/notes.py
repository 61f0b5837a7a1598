"""Chapter 5: the sample resource: making, reading, changing and deleting one's own."""

from __future__ import annotations

import re
from typing import Any

from scaffold.contract.checks import check, equal, true
from scaffold.contract.target import API, Target

NOTES = f"{API}/notes"
SOME = "00000000-0000-7000-8000-000000000000"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MERGE = "application/merge-patch+json"


@check(5, "A note is created with Location and ETag, and reads back the same", "RFC 9110 9.3.3")
def note_created(app: Target) -> None:
    person = app.person()
    body = {"title": "Zoë 🜁\t'\"<b>", "body": "one\ntwo\r\n", "tags": ["b", "a", "B", "é"]}
    answer = person.client.post(NOTES, body).expect(201)
    note = answer.json()
    equal({key: note[key] for key in body}, body, "note")
    equal(answer.header("Location"), f"{NOTES}/{note['id']}", "Location")
    equal(answer.header("ETag"), '"1"', "ETag")
    true(UUID7.fullmatch(note["id"]), f"id {note['id']} is no UUIDv7")
    true(MOMENT.fullmatch(note["created_at"]), note["created_at"])
    equal(note["updated_at"], note["created_at"], "updated_at")
    read = person.client.get(f"{NOTES}/{note['id']}").expect(200)
    equal((read.json(), read.header("ETag")), (note, '"1"'), "note read again")


@check(5, "Body and tags have defaults")
def note_defaults(app: Target) -> None:
    note = app.note(app.person(), "short")
    equal((note["body"], note["tags"]), ("", []), "defaults")


@check(5, "Lengths count code points and are exact", "ASVS 2.2.1")
def note_lengths(app: Target) -> None:
    person = app.person()
    long: dict[str, Any] = {
        "title": "🜁" * 200,
        "body": "🜁" * 10000,
        "tags": [f"{n:🜁>50}" for n in range(10)],
    }
    equal(app.note(person, **long)["body"], long["body"], "body")
    for change, pointer in (
        ({"title": ""}, "#/title"),
        ({"title": "x" * 201}, "#/title"),
        ({"body": "x" * 10001}, "#/body"),
        ({"tags": [str(n) for n in range(11)]}, "#/tags"),
        ({"tags": ["ok", ""]}, "#/tags/1"),
        ({"tags": ["x" * 51]}, "#/tags/0"),
        ({"tags": ["a", "a"]}, "#/tags"),
    ):
        answer = person.client.post(NOTES, {"title": "t", **change})
        true(answer.pointers()[0].startswith(pointer), f"{pointer}: {answer.body!r}")


@check(5, "Every field's type is checked, and all errors come at once", "ASVS 2.2.1, 15.3.5")
def note_types(app: Target) -> None:
    person = app.person()
    bad = {"title": 1, "body": ["x"], "tags": "x", "color": "red"}
    answer = person.client.post(NOTES, bad)
    equal(answer.pointers(), ["#/body", "#/color", "#/tags", "#/title"], answer)
    said = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    expected = {"#/title": "must be a string", "#/body": "must be a string"}
    expected |= {"#/tags": "must be a list", "#/color": "is not allowed"}
    equal(said, expected, "details")
    equal(person.client.post(NOTES, {"title": "t", "tags": [1]}).pointers(), ["#/tags/0"], "tag")
    equal(person.client.post(NOTES, {"title": "t", "body": None}).pointers(), ["#/body"], "null")


@check(5, "Nothing can be slipped into a note", "OWASP API3:2023, ASVS 8.2.3, 15.3.3")
def note_mass_assignment(app: Target) -> None:
    person, victim = app.person(), app.person()
    path = f"{NOTES}/{app.note(person)['id']}"
    for field in ("id", "user_id", "version", "created_at", "updated_at", "owner", "__proto__"):
        body = {"title": "t", field: victim.id}
        equal(person.client.post(NOTES, body).pointers(), [f"#/{field}"], field)
        answer = person.client.patch(path, {field: victim.id}, headers={"If-Match": "*"})
        equal(answer.pointers(), [f"#/{field}"], field)


@check(5, "A stranger's note does not exist", "OWASP API1:2023, ASVS 8.2.2")
def note_stranger(app: Target) -> None:
    owner, stranger = app.person(), app.person()
    note = app.note(owner, "secret title")
    path = f"{NOTES}/{note['id']}"
    for client, name in ((stranger.client, "not-found"), (app.anonymous, "unauthenticated")):
        client.get(path).problem(name)
        client.get(path, headers={"If-None-Match": '"1"'}).problem(name)
        client.patch(path, {"title": "x"}, headers={"If-Match": '"1"'}).problem(name)
        client.patch(path, {"title": "x"}, headers={"If-Match": "*"}).problem(name)
        client.delete(path).problem(name)
        client.delete(path, headers={"If-Match": '"1"'}).problem(name)
    for query in ("", "?q=secret", "?limit=100"):
        equal(stranger.client.get(NOTES + query).expect(200).json()["items"], [], query)
    equal(owner.client.get(path).expect(200).json(), note, "the owner's note")


@check(5, "A stranger's note and no note are told apart by nothing", "ASVS 8.2.2")
def note_stranger_alike(app: Target) -> None:
    stranger = app.person()
    path = f"{NOTES}/{app.note(app.person())['id']}"
    answers = []
    for place in (path, f"{NOTES}/{SOME}"):
        # A missing precondition must not tell that there is something.
        for answer in (stranger.client.get(place), stranger.client.patch(place, {"title": "x"})):
            found = answer.problem("not-found")
            found.pop("request_id"), found.pop("instance")
            answers.append((found, sorted(name for name, _ in answer.headers)))
    equal(answers[0], answers[2], "GET")
    equal(answers[1], answers[3], "PATCH")


@check(5, "An id that is no UUID is simply not there")
def note_strange_ids(app: Target) -> None:
    client = app.person().client
    odd = ("1", "x", "null", "%20", "%2e%2e", SOME.replace("-", ""), f"{SOME}%0a", "9" * 400)
    for identity in (*odd, "%27%20OR%201=1", "%F0%9F%9C%81", "{id}", f"%7B{SOME}%7D"):
        client.get(f"{NOTES}/{identity}").problem("not-found")
        client.delete(f"{NOTES}/{identity}").problem("not-found")


@check(5, "PATCH merges: absent stays, null resets, a list is replaced", "RFC 7396")
def note_merge(app: Target) -> None:
    person = app.person()
    note = app.note(person, "one", body="text", tags=["x", "y"])
    path = f"{NOTES}/{note['id']}"

    def change(body: dict[str, object], version: int) -> dict[str, object]:
        headers = {"If-Match": f'"{version}"', "Content-Type": MERGE}
        answer = person.client.patch(path, body, headers=headers).expect(200)
        equal(answer.header("ETag"), f'"{version + 1}"', "ETag")
        equal(person.client.get(path).json(), answer.json(), "note read again")
        return {key: answer.json()[key] for key in ("title", "body", "tags")}

    equal(change({"title": "two"}, 1), {"title": "two", "body": "text", "tags": ["x", "y"]}, 1)
    equal(change({"tags": ["z"]}, 2), {"title": "two", "body": "text", "tags": ["z"]}, 2)
    equal(change({"body": None, "tags": None}, 3), {"title": "two", "body": "", "tags": []}, 3)
    answer = person.client.patch(path, {"title": None}, headers={"If-Match": '"4"'})
    equal(answer.pointers(), ["#/title"], answer)


@check(5, "A change moves updated_at and nothing else of the record")
def note_updated_at(app: Target) -> None:
    person = app.person()
    note = app.note(person)
    headers = {"If-Match": '"1"'}
    changed = person.client.patch(f"{NOTES}/{note['id']}", {"title": "two"}, headers=headers)
    found = changed.expect(200).json()
    true(found["updated_at"] > note["updated_at"], "updated_at")
    equal((found["id"], found["created_at"]), (note["id"], note["created_at"]), "id, created_at")


@check(5, "A deleted note is gone", "RFC 9110 9.3.5")
def note_deleted(app: Target) -> None:
    person = app.person()
    kept = app.note(person, "kept")
    path = f"{NOTES}/{app.note(person, tags=['x'])['id']}"
    answer = person.client.delete(path).expect(204)
    equal((answer.body, answer.header("Content-Type")), (b"", None), "an empty answer")
    person.client.get(path).problem("not-found")
    person.client.delete(path).problem("not-found")
    equal(person.client.get(NOTES).json()["items"], [kept], "notes left")
