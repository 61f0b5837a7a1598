"""Chapter 8: what the database holds and enforces itself."""

from __future__ import annotations

from contextlib import suppress

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.notes import UUID7
from scaffold.contract.target import API, Person, Target, together

TABLES = ("users", "sessions", "one_time_tokens", "recovery_codes", "notes", "note_tags")


def rows(app: Target, table: str) -> int:
    statement = f"SELECT count(*) FROM {table}"  # noqa: S608 (our own names)
    return int(app.operator.sql(statement)[0][0])


@check(8, "All six tables are there")
def tables(app: Target) -> None:
    for table in TABLES:
        true(rows(app, table) >= 0, table)


@check(8, "Keys are UUIDv7 and sort by time", "RFC 9562 5.7")
def keys(app: Target) -> None:
    person = app.person()
    ids = [app.note(person, str(n))["id"] for n in range(5)]
    equal(ids, sorted(ids), "ids in order of creation")
    true(all(UUID7.fullmatch(found) for found in [*ids, person.id]), ids)


@check(8, "Ids made at the same moment differ")
def keys_parallel(app: Target) -> None:
    person = app.person()
    ids = together([lambda: app.note(person)["id"]] * 16)
    equal(len(set(ids)), 16, "different ids")


@check(8, "The database itself refuses what the rules forbid")
def integrity(app: Target) -> None:
    person = app.person()
    for statement, values in (
        ("UPDATE users SET role = 'root' WHERE id = ?", (person.id,)),
        ("UPDATE users SET email_normalized = NULL WHERE id = ?", (person.id,)),
        (
            "UPDATE users SET email_normalized = ? WHERE id = ?",
            (app.person().email, person.id),
        ),
        (
            "UPDATE sessions SET user_id = ? WHERE user_id = ?",
            ("00000000-0000-7000-8000-000000000000", person.id),
        ),
    ):
        accepted = False
        with suppress(Exception):
            app.operator.sql(statement, *values)
            accepted = True
        true(not accepted, f"accepted: {statement}")


@check(8, "Text survives the way to the database and back unchanged")
def text_roundtrip(app: Target) -> None:
    person = app.person()
    texts = ("e\u0301", "é", "\U0010ffff", "ǅ", " both ends ", "line\u2028end", "İı", "a\u200bb")
    for text in texts:
        note = app.note(person, text, body=text, tags=[text])
        found = person.client.get(f"{API}/notes/{note['id']}").expect(200).json()
        equal([found["title"], found["body"], *found["tags"]], [text] * 3, ascii(text))


@check(8, "Tags that differ in case or accent are different")
def tags_distinct(app: Target) -> None:
    tags = ["a", "A", "á", "\uff41", "ß", "ss"]
    person = app.person()
    equal(app.note(person, tags=tags)["tags"], tags, "tags in order")
    # Whether a space at the end counts is left to the database; it is never an accident.
    trailing = {"title": "x", "tags": ["a", "a "]}
    person.client.post(f"{API}/notes", trailing).expect(201, 422)


@check(8, "Times are shown with six digits, whatever zeros they end with")
def time_digits(app: Target) -> None:
    person = app.person()
    note = app.note(person)["id"]
    for digits in ("000000", "000001", "336000", "336120", "500000"):
        moment = f"2026-01-31 12:00:00.{digits}"
        app.operator.sql("UPDATE notes SET created_at = ? WHERE id = ?", moment, note)
        (found,) = person.client.get(f"{API}/notes").expect(200).json()["items"]
        equal(found["created_at"][19:], f".{digits}Z", f"created_at, stored as {moment}")


@check(8, "Reading changes nothing that is stored", "RFC 9110 9.2.1, ASVS 3.5.3")
def reads_change_nothing(app: Target) -> None:
    person = app.person()
    note = f"{API}/notes/{app.note(person, tags=['b', 'a'])['id']}"
    paths = (note, f"{API}/notes?q=a&tag=b", f"{API}/users/me", f"{API}/auth/sessions")
    # Its token is stored beside the answer, not before it.
    app.mail(person.email, "verify-email")
    before = stored(app, person)
    for path in (*paths, f"{API}/users", "/readyz"):
        for method in ("GET", "HEAD", "OPTIONS"):
            person.client.request(method, path)
    person.client.get(note, headers={"If-None-Match": '"1"'}).expect(304)
    equal(stored(app, person), before, "what is stored after reading")


def stored(app: Target, person: Person) -> dict[str, list[str]]:
    """Every row that is this person's, whole."""
    mine = dict.fromkeys(TABLES, "user_id = ?") | {"users": "id = ?"}
    mine["note_tags"] = "note_id IN (SELECT id FROM notes WHERE user_id = ?)"
    return {
        table: sorted(
            str(row)
            for row in app.operator.sql(f"SELECT * FROM {table} WHERE {which}", person.id)  # noqa: S608 (our own names)
        )
        for table, which in mine.items()
    }
