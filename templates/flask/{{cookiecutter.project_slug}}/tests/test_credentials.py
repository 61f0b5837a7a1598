"""Confirming addresses and setting passwords."""

from datetime import timedelta

from flask import Flask
from sqlalchemy import update

from app import ids
from tests import database, mailbox
from tests.conftest import Start
from tests.person import AUTH, ME, PASSWORD, Answer, Person, assert_invalid, assert_problem, at_once

ADA = "ada@example.com"
OTHER = "difference-engine-1822"
SPENT = {"#/token": "is wrong, used or expired"}


def verify(app: Flask, token: str) -> Answer:
    return Person(app).post(f"{AUTH}/verify-email", {"token": token})


def verification(app: Flask) -> str:
    return mailbox.token(mailbox.receive(app, ADA, "Confirm your address"))


def forget(app: Flask) -> str:
    """Ask for a reset, and return the token that came."""
    assert Person(app).post(f"{AUTH}/password/forgot", {"email": ADA.upper()}).status == 202
    return mailbox.token(mailbox.receive(app, ADA, "Set a new password"))


def reset(app: Flask, token: str, password: str = OTHER) -> Answer:
    return Person(app).post(f"{AUTH}/password/reset", {"token": token, "password": password})


def change(person: Person, current: str, password: str = OTHER, **headers: str) -> Answer:
    body = {"current_password": current, "password": password}
    return person.post(f"{AUTH}/password/change", body, **headers)


def test_an_address_is_verified_once(ada: Person) -> None:
    assert ada.get(ME).body["email_verified"] is False
    token = verification(ada.app)
    assert at_once(4, lambda: verify(ada.app, token)) == {204: 1, 422: 3}
    assert ada.get(ME).body["email_verified"] is True
    assert_invalid(verify(ada.app, token), SPENT)
    assert_invalid(verify(ada.app, "A" * 43), SPENT)


def test_a_verification_can_be_sent_again(ada: Person) -> None:
    first = verification(ada.app)
    for email in (ADA, "nobody@example.com"):
        answer = ada.post(f"{AUTH}/verify-email/resend", {"email": email})
        assert (answer.status, answer.body) == (202, {"status": "accepted"})
    mailbox.finish(ada.app)
    assert mailbox.sent(ada.app, "nobody@example.com") == []
    tokens = {mailbox.token(message) for message in mailbox.sent(ada.app, ADA)}
    assert len(tokens) == 2
    assert verify(ada.app, first).status == 204


def test_a_forgotten_password_is_reset_once(ada: Person) -> None:
    token = forget(ada.app)
    common = {"#/password": "is too common"}
    assert_invalid(reset(ada.app, token, "password1234"), common)
    personal = {"#/password": "must not contain the address or the name"}
    assert_invalid(reset(ada.app, token, "example-of-ada@example.com"), personal)
    assert at_once(8, lambda: reset(ada.app, token)) == {204: 1, 422: 7}
    assert_invalid(reset(ada.app, token, PASSWORD), SPENT)
    assert ada.login(ADA).status == 401
    user = ada.login(ADA, OTHER).body["user"]
    assert user["email_verified"] is True
    mailbox.receive(ada.app, ADA, "Your password")


def test_a_reset_ends_every_session(ada: Person) -> None:
    second = ada.again()
    unused = forget(ada.app)
    for _ in range(6):
        ada.login(ADA, "not-the-password")
    body = {"email": ADA}
    assert ada.post(f"{AUTH}/password/forgot", body).status == 202
    mailbox.finish(ada.app)
    [newest] = {mailbox.token(each) for each in mailbox.sent(ada.app, ADA)[1:]} - {unused}
    assert reset(ada.app, newest).status == 204
    assert [person.get(ME).status for person in (ada, second)] == [401, 401]
    assert_invalid(reset(ada.app, unused), SPENT)
    # Who was locked out by somebody's guesses is let in again.
    assert ada.login(ADA, OTHER).status == 200


def test_a_reset_token_verifies_no_address(ada: Person) -> None:
    assert_invalid(verify(ada.app, forget(ada.app)), SPENT)
    assert_invalid(reset(ada.app, verification(ada.app)), SPENT)
    assert ada.get(ME).body["email_verified"] is False


def test_an_expired_token_is_refused(ada: Person) -> None:
    token = forget(ada.app)
    tokens = database.table("one_time_tokens")
    is_reset = tokens.c.purpose == "reset-password"
    for seconds, status in ((-1, 422), (60, 204)):
        end = ids.now() + timedelta(seconds=seconds)
        database.change(ada.app, update(tokens).where(is_reset).values(expires_at=end))
        assert reset(ada.app, token).status == status


def test_a_changed_password_ends_the_other_sessions(ada: Person) -> None:
    other, token = ada.again(), forget(ada.app)
    answer = change(ada, PASSWORD)
    assert answer.body.keys() == {"token", "expires_at", "user"}
    assert [person.get(ME).status for person in (ada, other)] == [401, 401]
    assert_invalid(reset(ada.app, token), SPENT)
    cookie = {"cookie": f"session={answer.body['token']}", "sec_fetch_site": "same-origin"}
    answer = change(Person(ada.app), OTHER, PASSWORD, **cookie)
    assert answer.body.keys() == {"expires_at", "user"}
    fresh = answer.headers["Set-Cookie"].partition(";")[0]
    assert Person(ada.app).get(ME, **cookie).status == 401
    assert Person(ada.app).get(ME, cookie=fresh).status == 200
    mailbox.receive(ada.app, ADA, "Your password")


def test_a_wrong_current_password_is_refused(ada: Person) -> None:
    wrong = at_once(8, lambda: change(ada, "not-the-password"))
    assert wrong == {401: 5, 429: 3}
    assert_problem(change(ada, PASSWORD), 429, "too-many-attempts")
    assert ada.get(ME).status == 200


def test_an_unverified_address_cannot_log_in_when_that_is_required(start: Start) -> None:
    app = start(REQUIRE_VERIFIED_EMAIL="true")
    anyone = Person(app)
    anyone.register("Ada")
    assert_problem(anyone.login(ADA, OTHER), 401, "invalid-credentials")
    assert_problem(anyone.login(ADA), 403, "email-not-verified")
    assert verify(app, verification(app)).status == 204
    assert anyone.login(ADA).status == 200
