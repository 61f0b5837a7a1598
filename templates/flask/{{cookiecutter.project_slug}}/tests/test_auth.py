"""Accounts, sessions and guessing."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import update

from app import ids
from tests import database
from tests.conftest import Start
from tests.person import AUTH, ME, PASSWORD, Person, assert_invalid, assert_problem, at_once, enroll

ADA = "ada@example.com"
NOBODY = "nobody@example.com"
SESSIONS = f"{AUTH}/sessions"


def test_registering_tells_nothing_about_known_addresses(anyone: Person) -> None:
    first = anyone.register("Ada")
    second = anyone.register("Eve", email=ADA.upper(), password="difference-engine-1822")
    assert first.status == second.status == 202
    assert first.body == second.body == {"status": "accepted"}
    assert anyone.login(ADA).body["user"]["name"] == "Ada"
    refused = anyone.login(ADA, "difference-engine-1822")
    assert_problem(refused, 401, "invalid-credentials")


@pytest.mark.parametrize("password", ["password1234", "QwertyUiop123"])
def test_a_common_password_is_refused(anyone: Person, password: str) -> None:
    answer = anyone.register("Ada", password=password)
    assert_invalid(answer, {"#/password": "is too common"})


@pytest.mark.parametrize("password", ["my-name-is-lovelace", "My-NAME-is-LOVELACE"])
def test_a_password_must_not_contain_the_name(anyone: Person, password: str) -> None:
    expected = {"#/password": "must not contain the address or the name"}
    assert_invalid(anyone.register("Lovelace", email=ADA, password=password), expected)
    assert_invalid(anyone.register("Lovelace", name="A", password=password), expected)


def test_login_gives_a_token(ada: Person) -> None:
    answer = ada.login(ada.email.upper())
    assert answer.status == 200
    assert answer.body.keys() == {"token", "expires_at", "user"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", answer.body["token"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert Person(ada.app, token=answer.body["token"]).get(ME).body == answer.body["user"]


@pytest.mark.parametrize(
    ("origin", "name"),
    [("http://localhost:8000", "session"), ("https://app.example.com", "__Host-session")],
)
def test_login_sets_a_cookie(start: Start, origin: str, name: str) -> None:
    ada = enroll(start(PUBLIC_URL=origin), "Ada")
    answer = Person(ada.app).login(ada.email, transport="cookie")
    assert answer.body.keys() == {"expires_at", "user"}
    cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert re.fullmatch(name + "=[A-Za-z0-9_-]{43}", cookie)
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(attributes)
    assert ("Secure" in attributes) == origin.startswith("https:")
    assert Person(ada.app).get(ME, cookie=cookie).body["email"] == ada.email


def test_wrong_password_and_unknown_user_look_alike(ada: Person) -> None:
    body = {"password": "not-the-password"}
    wrong, unknown = (
        ada.post(f"{AUTH}/login", {**body, "email": email}, x_request_id="one-request")
        for email in (ADA, NOBODY)
    )
    assert_problem(wrong, 401, "invalid-credentials")
    assert wrong.text == unknown.text
    assert list(wrong.headers.keys()) == list(unknown.headers.keys())


@pytest.mark.parametrize("email", [ADA, NOBODY])
def test_five_failures_block_the_account(ada: Person, bob: Person, email: str) -> None:
    anyone = Person(ada.app)
    assert at_once(8, lambda: anyone.login(email, "not-the-password")) == {401: 5, 429: 3}
    blocked = anyone.login(email, PASSWORD)
    assert_problem(blocked, 429, "too-many-attempts")
    assert 14 * 60 < int(blocked.headers["Retry-After"]) <= 15 * 60
    assert anyone.login(bob.email).status == 200
    assert ada.get(ME).status == 200


def test_logging_in_ends_the_session_that_was_sent_along(ada: Person) -> None:
    other = ada.again()
    assert ada.login(ADA, "not-the-password").status == 401
    assert ada.get(ME).status == 200
    assert ada.login(ADA).status == 200
    assert ada.get(ME).status == 401
    assert other.get(ME).status == 200


def test_logout_ends_the_session(ada: Person) -> None:
    other = ada.again()
    assert ada.post(f"{AUTH}/logout").status == 204
    answer = ada.get(ME)
    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert other.get(ME).status == 200


def test_sessions_are_listed_with_the_current_one_marked(ada: Person) -> None:
    newer = ada.again()
    items = ada.get(SESSIONS).body["items"]
    assert [item["current"] for item in items] == [False, True]
    assert [item["current"] for item in newer.get(SESSIONS).body["items"]] == [True, False]
    assert {item["client_address"] for item in items} == {"127.0.0.1"}
    assert all(item["created_at"] <= item["last_seen_at"] < item["expires_at"] for item in items)


def test_another_session_can_be_ended(ada: Person, bob: Person) -> None:
    other = ada.again()
    newest = ada.get(SESSIONS).body["items"][0]
    path = f"{SESSIONS}/{newest['id']}"
    assert_problem(bob.delete(path), 404, "not-found")
    assert other.get(ME).status == 200
    assert ada.delete(path).status == 204
    assert other.get(ME).status == 401
    assert_problem(ada.delete(path), 404, "not-found")


def test_all_other_sessions_can_be_ended(ada: Person, bob: Person) -> None:
    others = [ada.again(), ada.again()]
    assert ada.delete(SESSIONS).status == 204
    assert [other.get(ME).status for other in others] == [401, 401]
    assert ada.get(ME).status == 200
    assert bob.get(ME).status == 200


def test_an_idle_session_ends(start: Start) -> None:
    ada = enroll(start(SESSION_IDLE_DAYS="14"), "Ada")
    sessions = database.table("sessions")
    for days, status in ((13, 200), (15, 401)):
        seen = ids.now() - timedelta(days=days)
        database.change(ada.app, update(sessions).values(last_seen_at=seen))
        assert ada.get(ME).status == status


def test_a_disabled_user_cannot_log_in(ada: Person) -> None:
    database.change(ada.app, update(database.table("users")).values(disabled=True))
    assert_problem(Person(ada.app).login(ADA), 401, "invalid-credentials")
    assert_problem(ada.get(ME), 401, "unauthenticated")
