"""Notes, the sample resource."""

from typing import Any
from urllib.parse import urlencode

from tests.person import Person, assert_invalid, assert_problem, at_once

NOTES = "/api/v1/notes"


def write(person: Person, title: str, **more: Any) -> str:
    """Create a note and return its path."""
    answer = person.post(NOTES, {"title": title, **more})
    assert answer.status == 201
    return answer.headers["Location"]


def titles(person: Person, **query: str) -> list[str]:
    answer = person.get(f"{NOTES}?{urlencode(query)}")
    assert answer.status == 200
    return [note["title"] for note in answer.body["items"]]


def test_a_note_is_created_with_location_and_etag(ada: Person) -> None:
    answer = ada.post(NOTES, {"title": "First", "tags": ["b", "a"]})
    assert answer.status == 201
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"{NOTES}/{answer.body['id']}"
    assert answer.body["body"] == ""
    assert answer.body["tags"] == ["b", "a"]
    read = ada.get(answer.headers["Location"])
    assert read.body == answer.body
    assert read.headers["ETag"] == '"1"'


def test_notes_are_listed_newest_first(ada: Person, bob: Person) -> None:
    for title in ("one", "two", "three"):
        write(ada, title)
    write(bob, "of somebody else")
    assert titles(ada) == ["three", "two", "one"]


def test_tags_keep_their_order_in_a_list(ada: Person) -> None:
    tags = ["z", 'a "quoted" one', "\\", "ä", "a", "\t", "\U0001f600", "b", "c", "1"]
    write(ada, "many", tags=tags)
    write(ada, "none")
    assert [note["tags"] for note in ada.get(NOTES).body["items"]] == [[], tags]


def test_pages_follow_each_other_without_gaps(ada: Person) -> None:
    written = [f"note {number}" for number in range(5)]
    for title in written:
        write(ada, title)
    path, seen = f"{NOTES}?limit=2&q=note", []
    while path:
        answer = ada.get(path)
        seen += [note["title"] for note in answer.body["items"]]
        path = answer.body["next"]
        link = f'<http://localhost:8000{path}>; rel="next"' if path else None
        assert answer.headers.get("Link") == link
        write(ada, "note that came meanwhile")
    assert seen == written[::-1]


def test_search_takes_wildcards_literally(ada: Person) -> None:
    for title in ("100 % sure", "100 percent", "snake_case", "snakeXcase", "back\\slash", "wow!"):
        write(ada, title)
    assert titles(ada, q="0 %") == ["100 % sure"]
    assert titles(ada, q="E_C") == ["snake_case"]
    assert titles(ada, q="k\\s") == ["back\\slash"]
    assert titles(ada, q="!") == ["wow!"]


def test_notes_are_filtered_by_tag(ada: Person) -> None:
    write(ada, "both", tags=["red", "blue"])
    write(ada, "blue", tags=["blue"])
    write(ada, "none")
    assert titles(ada, tag="blue") == ["blue", "both"]
    assert titles(ada, tag="red") == ["both"]
    assert titles(ada, tag="re") == []


def test_a_note_is_unchanged_for_its_etag(ada: Person) -> None:
    path = write(ada, "read often")
    for etag in ('"1"', 'W/"1"', '"0", "1"', "*"):
        answer = ada.get(path, if_none_match=etag)
        assert (answer.status, answer.text) == (304, "")
        assert answer.headers["ETag"] == '"1"'
    assert ada.get(path, if_none_match='"2"').status == 200


def test_a_stale_edit_is_refused(ada: Person) -> None:
    path = write(ada, "first")
    edited = ada.patch(path, {"title": "second"}, if_match='"1"')
    assert edited.status == 200
    assert edited.headers["ETag"] == '"2"'
    for etag in ('"1"', 'W/"2"'):
        answer = ada.patch(path, {"title": "third"}, if_match=etag)
        assert_problem(answer, 412, "precondition-failed")
    assert_problem(ada.delete(path, if_match='"1"'), 412, "precondition-failed")
    assert ada.get(path).body["title"] == "second"
    assert ada.delete(path, if_match='"2"').status == 204


def test_an_edit_without_a_precondition_is_refused(ada: Person) -> None:
    path = write(ada, "first")
    assert_problem(ada.patch(path, {"title": "second"}), 428, "precondition-required")
    assert ada.get(path).body["title"] == "first"
    assert ada.delete(path).status == 204


def test_a_merge_patch_resets_with_null(ada: Person) -> None:
    path = write(ada, "kept", body="words", tags=["red"])
    merge = "application/merge-patch+json"
    nulls = b'{"body": null, "tags": null}'
    answer = ada.patch(path, nulls, if_match="*", content_type=merge)
    assert answer.status == 200
    shown = (answer.body["title"], answer.body["body"], answer.body["tags"])
    assert shown == ("kept", "", [])
    refused = ada.patch(path, {"title": None}, if_match="*")
    assert_invalid(refused, {"#/title": "must be a string"})


def test_another_persons_note_is_not_found(ada: Person, bob: Person, admin: Person) -> None:
    path = write(ada, "private")
    for stranger in (bob, admin):
        for answer in (
            stranger.get(path),
            stranger.patch(path, {"title": "mine"}, if_match="*"),
            stranger.delete(path),
        ):
            assert_problem(answer, 404, "not-found")
        assert titles(stranger) == []
    assert ada.get(path).body["title"] == "private"


def test_parallel_edits_have_one_winner(ada: Person) -> None:
    path = write(ada, "contested")
    edit = {"title": "edited", "tags": ["won"]}
    assert at_once(8, lambda: ada.patch(path, edit, if_match='"1"')) == {200: 1, 412: 7}
    assert ada.get(path).headers["ETag"] == '"2"'
