"""Every error is a problem document."""

import pytest
from flask import Flask

from tests.person import AUTH, ME, Person, assert_invalid, assert_problem

REGISTER = f"{AUTH}/register"


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": NaN}', b"\xff", b"\xef\xbb\xbf{}"])
def test_malformed_json_is_a_problem(anyone: Person, body: bytes) -> None:
    assert_problem(anyone.post(REGISTER, body), 400, "malformed-json")


def test_duplicate_keys_are_refused(anyone: Person) -> None:
    answer = anyone.post(REGISTER, b'{"name": "Ada", "name": "Bob"}')
    assert_problem(answer, 400, "malformed-json")


def test_unknown_fields_are_refused(anyone: Person) -> None:
    answer = anyone.register("Ada", nickname="Countess")
    assert_invalid(answer, {"#/nickname": "is not allowed"})


def test_a_crash_tells_nothing(app: Flask, anyone: Person) -> None:
    def crash() -> str:
        message = "the password of the database"
        raise RuntimeError(message)

    app.add_url_rule("/crash", view_func=crash)
    answer = anyone.get("/crash")
    assert_problem(answer, 500, "internal")
    assert answer.body["detail"] == "Something went wrong on our side."
    assert "RuntimeError" not in answer.text
    assert "password" not in answer.text


def test_an_unknown_path_is_a_problem(anyone: Person) -> None:
    answer = anyone.get("/nowhere?token=hidden")
    assert_problem(answer, 404, "not-found")
    assert answer.body["title"] == "Not Found"
    assert answer.body["instance"] == "/nowhere"


def test_a_wrong_method_names_the_allowed_ones(anyone: Person) -> None:
    answer = anyone.ask("PUT", ME)
    assert_problem(answer, 405, "method-not-allowed")
    assert {"GET", "HEAD", "PATCH", "DELETE"} <= set(answer.headers["Allow"].split(", "))


def test_a_body_over_one_mebibyte_is_refused(anyone: Person) -> None:
    mebibyte = b" " * 1024 * 1024
    assert_problem(anyone.post(REGISTER, mebibyte), 400, "malformed-json")
    assert_problem(anyone.post(REGISTER, mebibyte + b" "), 413, "content-too-large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_wrong_media_type_is_refused(anyone: Person, kind: str) -> None:
    answer = anyone.post(REGISTER, b"{}", content_type=kind)
    assert_problem(answer, 415, "unsupported-media-type")
