"""The second factor."""

import base64
import re
import time

import pyotp
import pytest
from sqlalchemy import select, update

from app import ids
from app.auth import sealing
from tests import database, mailbox
from tests.conftest import Start
from tests.person import (
    AUTH,
    ME,
    PASSWORD,
    Answer,
    Person,
    assert_invalid,
    assert_problem,
    at_once,
    enroll,
)

TOTP = f"{AUTH}/totp"
ADA = "ada@example.com"
OLD, NEW = "o" * 32, "n" * 32
USERS = database.table("users")


def code(secret: str, later: int = 0) -> str:
    """Return the code of this step, or of one that comes later."""
    return pyotp.HOTP(secret).at(int(time.time()) // 30 + later)


def begin(person: Person) -> str:
    answer = person.post(TOTP, {"password": PASSWORD})
    assert answer.status == 200, answer.text
    return str(answer.body["secret"])


def confirm(person: Person, given: str) -> Answer:
    return person.post(f"{TOTP}/confirm", {"code": given})


def switch_on(person: Person) -> tuple[str, list[str]]:
    """Return the secret and the recovery codes; the person goes on with the new token."""
    secret = begin(person)
    answer = confirm(person, code(secret))
    assert answer.status == 200, answer.text
    person.token = answer.body["token"]
    return secret, answer.body["recovery_codes"]


def test_a_second_factor_is_switched_on(ada: Person) -> None:
    other = ada.again()
    assert_problem(confirm(ada, "123456"), 409, "conflict")
    answer = ada.post(TOTP, {"password": PASSWORD})
    secret, uri = answer.body["secret"], answer.body["uri"]
    assert re.fullmatch("[A-Z2-7]{32}", secret)
    assert f"?secret={secret}&" in uri
    assert isinstance(pyotp.parse_uri(uri), pyotp.TOTP)
    assert ":ada%40example.com?" in uri
    assert begin(ada) != secret
    assert_invalid(confirm(ada, code(secret)), {"#/code": "is wrong"})
    _, codes = switch_on(ada)
    assert len(set(codes)) == 10
    assert all(re.fullmatch("[a-z2-7]{6}(-[a-z2-7]{6}){3}", each) for each in codes)
    assert ada.get(ME).body["totp_enabled"] is True
    assert other.get(ME).status == 401
    assert_problem(ada.post(TOTP, {"password": PASSWORD}), 409, "conflict")
    mailbox.receive(ada.app, ADA, "Second factor switched on")


def test_beginning_wants_the_password(ada: Person) -> None:
    assert at_once(8, lambda: ada.post(TOTP, {"password": "not-the-password"})) == {401: 5, 429: 3}
    assert_problem(ada.post(TOTP, {"password": PASSWORD}), 429, "too-many-attempts")
    assert_problem(confirm(ada, "123456"), 409, "conflict")


def test_a_code_works_once(ada: Person) -> None:
    secret, _ = switch_on(ada)
    assert_problem(ada.login(ADA, code=code(secret)), 401, "invalid-credentials")
    later = code(secret, 1)
    assert at_once(4, lambda: ada.login(ADA, code=later)) == {200: 1, 401: 3}
    assert_problem(ada.login(ADA, code=later), 401, "invalid-credentials")


def test_a_recovery_code_works_once(ada: Person, bob: Person) -> None:
    _, [first, second, *_] = switch_on(ada)
    _, [others, *_] = switch_on(bob)
    assert at_once(4, lambda: ada.login(ADA, code=first)) == {200: 1, 401: 3}
    assert_problem(ada.login(ADA, code=first), 401, "invalid-credentials")
    assert_problem(ada.login(ADA, code=others), 401, "invalid-credentials")
    assert ada.login(ADA, code=second.replace("-", " ").upper()).status == 200


def test_log_in_wants_the_code(ada: Person) -> None:
    secret, _ = switch_on(ada)
    anyone = Person(ada.app)
    later = code(secret, 1)
    assert_problem(anyone.login(ADA), 401, "second-factor-required")
    assert_problem(anyone.login(ADA, "not-the-password", code=later), 401, "invalid-credentials")
    assert anyone.login(ADA, code=later).body["user"]["totp_enabled"] is True


def test_a_wrong_code_counts_as_a_guess(ada: Person, bob: Person) -> None:
    secret, codes = switch_on(ada)
    wrong = "0" * 24
    assert at_once(8, lambda: Person(ada.app).login(ADA, code=wrong)) == {401: 5, 429: 3}
    for right in (code(secret, 1), codes[0]):
        assert_problem(Person(ada.app).login(ADA, code=right), 429, "too-many-attempts")
    other = begin(bob)
    bad = next(each for each in ("000000", "000001") if each not in _near(other))
    assert at_once(8, lambda: confirm(bob, bad)) == {422: 5, 429: 3}


def _near(secret: str) -> set[str]:
    return {code(secret, later) for later in (-2, -1, 0, 1, 2)}


def test_the_second_factor_is_switched_off_with_the_password(ada: Person) -> None:
    assert_problem(ada.delete(TOTP, {"password": PASSWORD}), 409, "conflict")
    _, codes = switch_on(ada)
    other = Person(ada.app, token=ada.login(ADA, code=codes[0]).body["token"])
    # It was sent along when logging in, and so has ended.
    ada.token = other.token
    assert_problem(ada.delete(TOTP, {"password": "not-the-password"}), 401, "invalid-credentials")
    answer = ada.delete(TOTP, {"password": PASSWORD})
    assert answer.body["user"]["totp_enabled"] is False
    assert other.get(ME).status == 401
    assert Person(ada.app).login(ADA).status == 200
    row = USERS.c.totp_secret, USERS.c.totp_confirmed_at, USERS.c.totp_last_step
    assert database.read(ada.app, select(*row)) == [(None, None, None)]
    assert database.read(ada.app, select(database.table("recovery_codes"))) == []
    mailbox.receive(ada.app, ADA, "Second factor switched off")


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_a_reset_of_an_unconfirmed_account_removes_the_second_factor(
    ada: Person, *, is_confirmed: bool
) -> None:
    _, [recovery, *_] = switch_on(ada)
    verified_at = ids.now() if is_confirmed else None
    database.change(ada.app, update(USERS).values(email_verified_at=verified_at))
    ada.post(f"{AUTH}/password/forgot", {"email": ADA})
    token = mailbox.token(mailbox.receive(ada.app, ADA, "Set a new password"))
    body = {"token": token, "password": "difference-engine-1822"}
    assert ada.post(f"{AUTH}/password/reset", body).status == 204
    # Who made the account may not have been who owns the address.
    answer = ada.login(ADA, body["password"])
    assert answer.status == (401 if is_confirmed else 200)
    answer = ada.login(ADA, body["password"], code=recovery)
    assert answer.body["user"]["totp_enabled"] is is_confirmed


def test_a_secret_is_stored_sealed(start: Start) -> None:
    ada = enroll(start(SECRET_KEYS=OLD), "Ada")
    secret, [recovery, *_] = switch_on(ada)
    plain = base64.b32decode(secret)
    [(sealed, user_id)] = database.read(ada.app, select(USERS.c.totp_secret, USERS.c.id))
    assert len(base64.urlsafe_b64decode(sealed + "==")) == 12 + len(plain) + 16
    with ada.app.app_context():
        assert sealing.unseal(sealed, "totp-secret", user_id) == (plain, False)
        assert sealing.unseal(sealed, "totp-secret", "somebody-else") is None
    stored = {
        row[0]
        for row in database.read(ada.app, select(database.table("recovery_codes").c.code_hash))
    }
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in stored)
    rotated = start(SECRET_KEYS=f"{NEW},{OLD}")
    assert Person(rotated).login(ADA, code=code(secret, 1)).status == 200
    # Sealed anew with the first key, so that the old one can go.
    [row] = database.read(rotated, select(USERS.c.totp_secret))
    with start(SECRET_KEYS=NEW).app_context():
        assert sealing.unseal(row[0], "totp-secret", user_id) == (plain, False)
    lost = start(SECRET_KEYS="l" * 32)
    database.change(lost, update(USERS).values(totp_last_step=None))
    assert_problem(Person(lost).login(ADA, code=code(secret)), 401, "invalid-credentials")
    assert Person(lost).login(ADA, code=recovery).status == 200
