"""Chapter 5: ETags and preconditions."""

from __future__ import annotations

from collections import Counter
from functools import partial

from scaffold.contract.checks import check, equal
from scaffold.contract.client import Answer
from scaffold.contract.target import API, Person, Target, together

NOTES = f"{API}/notes"


def edited(app: Target) -> tuple[Person, str]:
    """A note at version 2."""
    person = app.person()
    path = f"{NOTES}/{app.note(person)['id']}"
    person.client.patch(path, {"title": "two"}, headers={"If-Match": '"1"'}).expect(200)
    return person, path


@check(5, "An edit without a precondition is refused", "RFC 6585 3")
def patch_without(app: Target) -> None:
    person, path = edited(app)
    person.client.patch(path, {"title": "three"}).problem("precondition-required")
    equal(person.client.get(path).json()["title"], "two", "title")


@check(5, "A stale edit is refused", "RFC 9110 13.1.1")
def patch_stale(app: Target) -> None:
    person, path = edited(app)
    for tag in ('"1"', '"3"', 'W/"2"', '"1", "3"', '"2 "', '"02"', 'W/"1", W/"2"'):
        answer = person.client.patch(path, {"title": "three"}, headers={"If-Match": tag})
        answer.problem("precondition-failed")
    equal(person.client.get(path).json()["title"], "two", "title")


@check(5, "If-Match takes lists and the star", "RFC 9110 13.1.1")
def patch_matching(app: Target) -> None:
    person, path = edited(app)
    for version, tag in enumerate(('"2"', '"1", "3"', '"x","4"', "*"), 2):
        answer = person.client.patch(path, {"title": tag}, headers={"If-Match": tag})
        equal(answer.expect(200).header("ETag"), f'"{version + 1}"', tag)


@check(5, "Deleting honours If-Match and does without", "RFC 9110 13.1.1")
def delete_precondition(app: Target) -> None:
    person, path = edited(app)
    for tag in ('"1"', 'W/"2"'):
        person.client.delete(path, headers={"If-Match": tag}).problem("precondition-failed")
    person.client.delete(path, headers={"If-Match": '"1", "2"'}).expect(204)
    person, path = edited(app)
    person.client.delete(path, headers={"If-Match": "*"}).expect(204)
    person, path = edited(app)
    person.client.delete(path).expect(204)


@check(5, "A note that did not change is not sent again", "RFC 9110 13.1.2, 15.4.5")
def not_modified(app: Target) -> None:
    person, path = edited(app)
    for tag in ('"2"', 'W/"2"', '"1", "2"', '"x",W/"2"', "*"):
        answer = person.client.get(path, headers={"If-None-Match": tag}).expect(304)
        equal(answer.body, b"", answer)
        equal(answer.header("ETag"), '"2"', answer)
        equal(answer.header("Content-Type"), None, answer)
    for tag in ('"1"', 'W/"1"', '"22"', "2", "x"):
        person.client.get(path, headers={"If-None-Match": tag}).expect(200)


@check(5, "Parallel edits have one winner", "RFC 9110 13.1.1, ASVS 15.4.2")
def patch_parallel(app: Target) -> None:
    person, path = edited(app)

    def edit(number: int) -> Answer:
        body = {"title": f"edit {number}", "tags": [str(number)]}
        return person.client.patch(path, body, headers={"If-Match": '"2"'})

    answers = together([partial(edit, number) for number in range(8)])
    equal(Counter(answer.status for answer in answers), {200: 1, 412: 7}, "statuses")
    (winner,) = (answer.json() for answer in answers if answer.status == 200)
    equal(person.client.get(path).json(), winner, "the winner's note")


@check(5, "Parallel deletes have one winner")
def delete_parallel(app: Target) -> None:
    person, path = edited(app)
    answers = together([lambda: person.client.delete(path)] * 6)
    equal(Counter(answer.status for answer in answers), {204: 1, 404: 5}, "statuses")
