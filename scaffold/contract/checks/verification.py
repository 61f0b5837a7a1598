"""Chapter 4: addresses are confirmed by a token that was mailed to them."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from datetime import datetime, timedelta

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.mail import AUTH, RESEND, forgot, settled
from scaffold.contract.client import Answer
from scaffold.contract.target import API, Person, Target, fresh_email, fresh_password, together

VERIFY, RESET = f"{AUTH}/verify-email", f"{AUTH}/password/reset"
LOGIN, ME = f"{AUTH}/login", f"{API}/users/me"
SPENT = "is wrong, used or expired"
LONG_AGO = "2020-01-01 00:00:00.000000"


def verify(app: Target, token: str) -> Answer:
    return app.anonymous.post(VERIFY, {"token": token})


def spent(answer: Answer) -> None:
    """The token of the request is not good (any more)."""
    equal(answer.pointers(), ["#/token"], answer)
    equal(answer.json()["errors"][0]["detail"], SPENT, answer)


def is_verified(person: Person) -> bool:
    return bool(person.client.get(ME).expect(200).json()["email_verified"])


@check(4, "The mailed token confirms the address, once", "ASVS 6.4.1, 6.5.1")
def verify_once(app: Target) -> None:
    person = app.person()
    true(is_verified(person) is False, "email_verified at first")
    token = app.mail(person.email, "verify-email").token
    answer = verify(app, token).expect(204)
    equal((answer.body, answer.header("Set-Cookie")), (b"", None), "an empty answer")
    true(is_verified(person) is True, "email_verified")
    spent(verify(app, token))


@check(4, "A token that was never made is refused, and one of another form named as such")
def verify_wrong(app: Target) -> None:
    token = app.mail(app.account()["email"], "verify-email").token
    # The last character of 43 carries four bits only, so another one there may mean the same.
    for bad in (secrets.token_urlsafe(32), token.swapcase(), token[::-1], token[1:] + token[0]):
        spent(verify(app, bad))
    for odd in ("", token[:-1], f"{token}A", f"{token}=", f" {token}", token + "\n"):
        answer = verify(app, odd)
        equal(answer.pointers(), ["#/token"], repr(odd))
        true(answer.json()["errors"][0]["detail"] != SPENT, f"{odd!r} was looked up")
    verify(app, token).expect(204)


@check(4, "A token serves its own purpose only", "ASVS 6.4.3")
def token_purpose(app: Target) -> None:
    person = app.person()
    forgot(app, person.email)
    mailed = {
        kind: app.mail(person.email, kind).token for kind in ("verify-email", "reset-password")
    }
    spent(verify(app, mailed["reset-password"]))
    new = fresh_password()
    spent(app.anonymous.post(RESET, {"token": mailed["verify-email"], "password": new}))
    app.enter(person.email, person.password)
    true(is_verified(person) is False, "email_verified")
    # The wrong door does not use a key up.
    verify(app, mailed["verify-email"]).expect(204)
    app.anonymous.post(RESET, {"token": mailed["reset-password"], "password": new}).expect(204)


@check(4, "Of parallel confirmations with one token one counts", "ASVS 2.3.4, 6.5.1")
def verify_parallel(app: Target) -> None:
    token = app.mail(app.account()["email"], "verify-email").token
    answers = together([lambda: verify(app, token)] * 12)
    equal(Counter(answer.status for answer in answers), {204: 1, 422: 11}, "statuses")


@check(4, "A token ends with its time", "ASVS 6.4.1")
def verify_expired(app: Target) -> None:
    person = app.person()
    token = app.mail(person.email, "verify-email").token
    end = "UPDATE one_time_tokens SET expires_at = ? WHERE user_id = ?"
    app.operator.sql(end, LONG_AGO, person.id)
    spent(verify(app, token))
    true(is_verified(person) is False, "email_verified")


@check(4, "A token is bound to the address it was mailed to")
def verify_bound(app: Target) -> None:
    person = app.person()
    token = app.mail(person.email, "verify-email").token
    move(app, person)
    spent(verify(app, token))
    true(is_verified(person) is False, "email_verified")


def move(app: Target, person: Person) -> str:
    """Give the account another address behind the app's back."""
    email = fresh_email()
    change = "UPDATE users SET email = ?, email_normalized = ? WHERE id = ?"
    app.operator.sql(change, email, email, person.id)
    return email


@check(4, "A confirmation can be sent again; the mails before it stay good")
def resend(app: Target) -> None:
    person = app.person()
    first = app.mail(person.email, "verify-email").token
    app.anonymous.post(RESEND, {"email": person.email.upper()}).expect(202)
    second = app.mail(person.email, "verify-email", 2).token
    true(first != second, "the same token twice")
    verify(app, first).expect(204)
    true(is_verified(person) is True, "email_verified")


def alike(answers: list[Answer]) -> None:
    """No answer tells more than another."""
    equal([answer.json() for answer in answers], [{"status": "accepted"}] * len(answers), "bodies")
    names = [sorted(name.lower() for name, _ in answer.headers) for answer in answers]
    for found in names:
        equal(found, names[0], "header names")


@check(4, "Asking for another mail tells nothing about the address", "ASVS 6.3.8")
def resend_alike(app: Target) -> None:
    waiting, done = app.account(), app.account()
    verify(app, app.mail(done["email"], "verify-email").token).expect(204)
    emails = [waiting["email"], done["email"], fresh_email(), "A@b.example"]
    alike([app.anonymous.post(RESEND, {"email": email}).expect(202) for email in emails])
    app.mail(waiting["email"], "verify-email", 2)
    settled(app)
    equal(len(app.mailbox.all(done["email"], "verify-email")), 1, "mails to a confirmed address")
    equal(app.mailbox.all(emails[2]), [], "mails to nobody")


@check(4, "A disabled account gets no mail and no hint", "ASVS 6.3.8")
def disabled_mail(app: Target) -> None:
    admin, person = app.admin(), app.person()
    app.mail(person.email, "verify-email")
    admin.client.patch(f"{API}/users/{person.id}", {"disabled": True}).expect(200)
    body = {"email": person.email}
    asked = [
        app.anonymous.post(path, body).expect(202) for path in (RESEND, f"{AUTH}/password/forgot")
    ]
    alike([*asked, app.anonymous.post(RESEND, {"email": fresh_email()}).expect(202)])
    settled(app)
    equal([mail.kind for mail in app.mailbox.all(person.email)], ["verify-email"], "mails")


@check(4, "The database keeps only the hash of a one-time token", "ASVS 11.4.1")
def one_time_token_hashed(app: Target) -> None:
    person = app.person()
    forgot(app, person.email)
    for kind in ("verify-email", "reset-password"):
        digest = hashlib.sha256(app.mail(person.email, kind).token.encode()).hexdigest()
        rows = app.operator.sql("SELECT purpose FROM one_time_tokens WHERE token_hash = ?", digest)
        equal([row[0] for row in rows], [kind], "purposes of the token's hash")


@check(4, "A confirmation is good for a day, a reset for an hour", "ASVS 6.4.1")
def one_time_token_lifetime(app: Target) -> None:
    person = app.person()
    forgot(app, person.email)
    app.mail(person.email, "verify-email"), app.mail(person.email, "reset-password")
    ask = "SELECT purpose, created_at, expires_at FROM one_time_tokens WHERE user_id = ?"
    rows = app.operator.sql(ask, person.id)
    found = {row[0]: moment(row[2]) - moment(row[1]) for row in rows}
    wanted = {"verify-email": timedelta(days=1), "reset-password": timedelta(hours=1)}
    equal(found, wanted, "lifetimes")


def moment(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


@check(4, "Used and expired tokens do not pile up")
def one_time_token_swept(app: Target) -> None:
    person = app.person()
    verify(app, app.mail(person.email, "verify-email").token).expect(204)
    for number in (1, 2):
        forgot(app, person.email)
        app.mail(person.email, "reset-password", number)
        rows = app.operator.sql("SELECT id FROM one_time_tokens WHERE user_id = ?", person.id)
        equal(len(rows), 1, f"tokens kept after {number}")
        end = "UPDATE one_time_tokens SET expires_at = ? WHERE user_id = ?"
        app.operator.sql(end, LONG_AGO, person.id)


@check(4, "Where that is required, an unconfirmed address cannot log in")
def verified_required(app: Target) -> None:
    other = app.operator.boot(REQUIRE_VERIFIED_EMAIL="true")
    known = other.account()
    login = {"email": known["email"], "password": known["password"]}
    answer = other.anonymous.post(LOGIN, login)
    answer.problem("email-not-verified")
    equal((answer.header("Set-Cookie"), answer.header("WWW-Authenticate")), (None, None), answer)
    other.anonymous.post(LOGIN, {**login, "password": "wrong"}).problem("invalid-credentials")
    verify(other, other.mail(known["email"], "verify-email").token).expect(204)
    other.anonymous.post(LOGIN, login).expect(200)


@check(4, "A reset confirms the address as well: the mail arrived there")
def verified_by_reset(app: Target) -> None:
    known = app.account()
    forgot(app, known["email"])
    token, new = app.mail(known["email"], "reset-password").token, fresh_password()
    app.anonymous.post(RESET, {"token": token, "password": new}).expect(204)
    true(app.enter(known["email"], new).user["email_verified"] is True, "email_verified")
