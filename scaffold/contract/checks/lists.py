"""Chapter 5: lists: pages, search and tags."""

from __future__ import annotations

import base64
import secrets

from scaffold.contract.checks import check, equal, true
from scaffold.contract.client import Broken
from scaffold.contract.target import API, Person, Target

NOTES = f"{API}/notes"
MOST_PAGES = 50


def titles(person: Person, query: str) -> list[str]:
    items = person.client.get(f"{NOTES}?{query}").expect(200).json()["items"]
    return [item["title"] for item in items]


def walk(app: Target, person: Person, path: str) -> list[str]:
    """Follow `next` to the end and return all titles."""
    seen: list[str] = []
    for _ in range(MOST_PAGES):
        answer = person.client.get(path).expect(200)
        seen += [item["title"] for item in answer.json()["items"]]
        path = answer.json()["next"]
        link = f'<{app.operator.public_url}{path}>; rel="next"' if path else None
        equal(answer.header("Link"), link, answer)
        if not path:
            return seen
    raise Broken(f"no end after {MOST_PAGES} pages")


@check(5, "Pages follow each other without gaps, newest first", "RFC 8288")
def pages_complete(app: Target) -> None:
    person = app.person()
    wanted = [f"note {n}" for n in range(7)]
    for title in wanted:
        app.note(person, title)
    for limit in (1, 3, 7, 100):
        equal(walk(app, person, f"{NOTES}?limit={limit}"), wanted[::-1], f"limit {limit}")
    answer = person.client.get(f"{NOTES}?limit=7").expect(200)
    equal((answer.json()["next"], answer.header("Link")), (None, None), "a full last page")


@check(5, "Notes made or deleted between two pages shift nothing")
def pages_stable(app: Target) -> None:
    person = app.person()
    made = [app.note(person, f"note {n}") for n in range(6)]
    first = person.client.get(f"{NOTES}?limit=2").expect(200).json()
    app.note(person, "late")
    person.client.delete(f"{NOTES}/{made[5]['id']}").expect(204)
    person.client.delete(f"{NOTES}/{made[4]['id']}").expect(204)
    equal(walk(app, person, first["next"]), ["note 3", "note 2", "note 1", "note 0"], "rest")


@check(5, "Without a limit a page has twenty")
def page_default(app: Target) -> None:
    person = app.person()
    for number in range(21):
        app.note(person, str(number))
    answer = person.client.get(NOTES).expect(200).json()
    equal((len(answer["items"]), answer["next"] is None), (20, False), "page")


@check(5, "The next page keeps search, tag and limit")
def pages_keep_query(app: Target) -> None:
    person = app.person()
    for number in range(5):
        app.note(person, f"A&b %{number}", tags=["x y", "ü"])
        app.note(person, f"other {number}")
    wanted = [f"A&b %{number}" for number in range(4, -1, -1)]
    equal(walk(app, person, f"{NOTES}?q=a%26b%20%25&tag=x%20y&limit=2"), wanted, "pages")
    equal(walk(app, person, f"{NOTES}?tag=%C3%BC&limit=2"), wanted, "pages by tag")


@check(5, "Search is in titles, without case, and takes wildcards literally", "ASVS 1.2.4")
def search_literal(app: Target) -> None:
    person = app.person()
    every = ["100% sure", "100 sure", "a_b", "axb", "back\\slash", "O'Brien", "plain"]
    for title in every:
        app.note(person, title, body="needle")
    for query, wanted in (
        ("100%25", ["100% sure"]),
        ("A_B", ["a_b"]),
        ("%25", ["100% sure"]),
        ("_", ["a_b"]),
        ("%5C", ["back\\slash"]),
        ("o%27b", ["O'Brien"]),
        ("SURE", ["100 sure", "100% sure"]),
        ("needle", []),
        ("%27%20OR%201=1--", []),
    ):
        equal(titles(person, f"q={query}"), wanted, f"q={query}")


@check(5, "Tags are matched whole and as written")
def tag_exact(app: Target) -> None:
    person = app.person()
    for number, tag in enumerate(("work", "Work", "workshop", "w%rk", "wörk")):
        app.note(person, str(number), tags=[tag, "all"])
    for query, wanted in (
        ("work", ["0"]),
        ("Work", ["1"]),
        ("w%25rk", ["3"]),
        ("w%C3%B6rk", ["4"]),
        ("wor", []),
        ("all", ["4", "3", "2", "1", "0"]),
    ):
        equal(titles(person, f"tag={query}"), wanted, f"tag={query}")


@check(5, "A bad query is named, and nothing unknown is ignored", "ASVS 2.2.1, 15.3.7")
def query_strict(app: Target) -> None:
    person = app.person()
    for query, pointer, detail in (
        ("limit=0", "limit", "must be at least 1"),
        ("limit=101", "limit", "must be at most 100"),
        ("limit=x", "limit", "must be an integer"),
        ("limit=", "limit", "must be an integer"),
        ("limit=1.5", "limit", "must be an integer"),
        ("limit=1e1", "limit", "must be an integer"),
        ("limit=%201", "limit", "must be an integer"),
        (f"limit={'9' * 400}", "limit", "must be at most 100"),
        ("limit=-1", "limit", "must be at least 1"),
        ("limit=1&limit=2", "limit", "must not repeat"),
        ("q=", "q", "must have at least 1 characters"),
        (f"q={'x' * 201}", "q", "must have at most 200 characters"),
        ("q=a&q=b", "q", "must not repeat"),
        ("tag=", "tag", "must have at least 1 characters"),
        (f"tag={'x' * 51}", "tag", "must have at most 50 characters"),
        ("offset=1", "offset", "is not allowed"),
        ("tag%5B%5D=x", "tag%5B%5D", "is not allowed"),
        ("q%5Bx%5D=y", "q%5Bx%5D", "is not allowed"),
        ("__proto__=x", "__proto__", "is not allowed"),
    ):
        answer = person.client.get(f"{NOTES}?{query}")
        equal(answer.pointers(), [f"#/query/{pointer}"], query)
        equal(answer.json()["errors"][0]["detail"], detail, query)


@check(5, "A cursor that we did not make for this person is refused", "ASVS 2.2.1, 11.4.3")
def cursor_forged(app: Target) -> None:
    person, other = app.person(), app.person()
    for who in (person, other):
        for number in range(3):
            app.note(who, str(number))
    path = person.client.get(f"{NOTES}?limit=1").expect(200).json()["next"]
    cursor = path.split("cursor=")[1].split("&")[0]
    true(len(cursor) == 48, f"cursor {cursor} has not 48 characters")
    raw = bytearray(base64.urlsafe_b64decode(cursor))
    raw[3] ^= 1
    flipped = base64.urlsafe_b64encode(raw).decode()
    random = secrets.token_urlsafe(36)
    for bad in (flipped, random, cursor[:-1], f"{cursor}A", "x", "%00" * 48, "+" * 48):
        equal(person.client.get(f"{NOTES}?cursor={bad}").pointers(), ["#/query/cursor"], bad)
    equal(other.client.get(f"{NOTES}?cursor={cursor}").pointers(), ["#/query/cursor"], "stolen")
    # A signature is looked at when the rest is in order.
    for bad in (flipped, "%F0%9F%9C%81" * 48):
        answer = person.client.get(f"{NOTES}?cursor={bad}&offset=1")
        equal(answer.pointers(), ["#/query/offset"], answer)
    person.client.get(f"{NOTES}?cursor={cursor}&limit=1").expect(200)


@check(5, "Search finds letters beyond ASCII in the case they were written")
def search_unicode(app: Target) -> None:
    person = app.person()
    app.note(person, "Grüße 🜁 日本")
    for query in ("Gr%C3%BC%C3%9Fe", "%F0%9F%9C%81", "%E6%97%A5%E6%9C%AC"):
        equal(titles(person, f"q={query}"), ["Grüße 🜁 日本"], query)


@check(5, "A list tells each note as it was made, its tags in their order")
def list_whole(app: Target) -> None:
    person = app.person()
    hostile = ['"]', "\\", "[", "\u2028", "\U0001f9ea", ",", "null", "'", "é", "a b"]
    made = [
        app.note(person, str(len(tags)), body="é" * 10_000, tags=tags)
        for tags in ([], ["b", "a", "c"], [letter * 50 for letter in "jihgfedcba"], hostile)
    ]
    found = person.client.get(NOTES).expect(200).json()["items"]
    equal(found, made[::-1], "notes in the list")
    for note in made:
        equal(person.client.get(f"{NOTES}/{note['id']}").json(), note, "the note alone")
