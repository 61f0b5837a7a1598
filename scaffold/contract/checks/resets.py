"""Chapter 4: a forgotten password is set anew by a token that was mailed."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from functools import partial

from scaffold.contract.checks import check, equal
from scaffold.contract.checks.guessing import TRIES, blocked, guess
from scaffold.contract.checks.mail import FORGOT, RESEND, forgot
from scaffold.contract.checks.passwords import COMMON
from scaffold.contract.checks.sessions import ME, refused
from scaffold.contract.checks.timing import Send, same_time
from scaffold.contract.checks.verification import (
    LOGIN,
    LONG_AGO,
    RESET,
    alike,
    move,
    spent,
)
from scaffold.contract.client import Answer
from scaffold.contract.target import API, Target, fresh_email, fresh_password, together

CONTEXT = "must not contain the address or the name"


def mailed(app: Target, email: str, number: int = 1) -> str:
    """Ask for a reset and read the token out of the mail."""
    forgot(app, email)
    return app.mail(email, "reset-password", number).token


def reset(app: Target, token: str, password: str) -> Answer:
    return app.anonymous.post(RESET, {"token": token, "password": password})


def said(answer: Answer) -> tuple[str, str]:
    """Where the one error is, and what it says."""
    (error,) = answer.expect(422).json()["errors"]
    return error["pointer"], error["detail"]


@check(4, "A forgotten password is set anew, once", "ASVS 6.4.3, 6.5.1")
def reset_once(app: Target) -> None:
    known, new = app.account(), fresh_password()
    token = mailed(app, known["email"])
    answer = reset(app, token, new).expect(204)
    equal((answer.body, answer.header("Set-Cookie")), (b"", None), "an empty answer")
    guess(app, known["email"], known["password"]).problem("invalid-credentials")
    app.enter(known["email"], new)
    spent(reset(app, token, fresh_password()))
    app.enter(known["email"], new)
    app.mail(known["email"], "password-changed")


@check(4, "Of parallel resets with one token one counts", "ASVS 2.3.4, 6.5.1")
def reset_parallel(app: Target) -> None:
    known = app.account()
    token = mailed(app, known["email"])
    passwords = [fresh_password() for _ in range(24)]
    answers = together([partial(reset, app, token, password) for password in passwords])
    equal(Counter(answer.status for answer in answers), {204: 1, 422: 23}, "statuses")
    for answer in answers:
        if answer.status == 422:
            spent(answer)
    (winner,) = (p for p, answer in zip(passwords, answers, strict=True) if answer.status == 204)
    app.enter(known["email"], winner)


@check(4, "A reset ends every session and every other reset", "ASVS 7.4.3")
def reset_ends(app: Target) -> None:
    person, stranger = app.person(), app.person()
    other = app.enter(person.email, person.password)
    first, second = mailed(app, person.email), mailed(app, person.email, 2)
    reset(app, second, fresh_password()).expect(204)
    for client in (person.client, other.client):
        refused(client.get(ME))
    spent(reset(app, first, fresh_password()))
    stranger.client.get(ME).expect(200)


@check(4, "A refused password does not use the token up", "ASVS 6.2.4, 6.2.11")
def reset_weak(app: Target) -> None:
    known = app.account("Grace Hopper")
    token = mailed(app, known["email"])
    for password, detail in (
        (COMMON[0], "is too common"),
        (f"x{known['email'].upper()}x", CONTEXT),
        ("my grace hopper 1", CONTEXT),
    ):
        equal(said(reset(app, token, password)), ("#/password", detail), password)
    for password in ("short", "x" * 129):
        equal(reset(app, token, password).pointers(), ["#/password"], password)
    reset(app, token, fresh_password()).expect(204)


@check(4, "The rules of passwords are told before the token is looked at, the account's after")
def reset_order(app: Target) -> None:
    random = secrets.token_urlsafe(32)
    equal(said(reset(app, random, COMMON[0])), ("#/password", "is too common"), "both wrong")
    # Whether a password contains the name is no stranger's business.
    spent(reset(app, random, "my ada lovelace 1"))
    equal(reset(app, "x", "short").pointers(), ["#/password", "#/token"], "both malformed")


@check(4, "A reset ends with its time", "ASVS 6.4.1, 6.4.3")
def reset_expired(app: Target) -> None:
    person = app.person()
    token = mailed(app, person.email)
    end = "UPDATE one_time_tokens SET expires_at = ? WHERE user_id = ?"
    app.operator.sql(end, LONG_AGO, person.id)
    spent(reset(app, token, fresh_password()))
    app.enter(person.email, person.password)


@check(4, "A reset is bound to the address it was mailed to", "ASVS 6.4.3")
def reset_bound(app: Target) -> None:
    person = app.person()
    token = mailed(app, person.email)
    email = move(app, person)
    spent(reset(app, token, fresh_password()))
    app.enter(email, person.password)


@check(4, "A disabled account is not opened by a reset", "ASVS 7.4.2")
def reset_disabled(app: Target) -> None:
    admin, person = app.admin(), app.person()
    token, new = mailed(app, person.email), fresh_password()
    path = f"{API}/users/{person.id}"
    admin.client.patch(path, {"disabled": True}).expect(200)
    spent(reset(app, token, new))
    admin.client.patch(path, {"disabled": False}).expect(200)
    guess(app, person.email, new).problem("invalid-credentials")


@check(4, "A reset lifts the block that guessing has caused", "ASVS 6.3.1")
def reset_unblocks(app: Target) -> None:
    known, new = app.account(), fresh_password()
    for _ in range(TRIES):
        guess(app, known["email"]).expect(401)
    blocked(guess(app, known["email"], known["password"]))
    reset(app, mailed(app, known["email"]), new).expect(204)
    app.enter(known["email"], new)


@check(4, "A reset of one account touches no other")
def reset_apart(app: Target) -> None:
    victim, attacker = app.account(), app.account()
    theirs = mailed(app, victim["email"])
    reset(app, mailed(app, attacker["email"]), fresh_password()).expect(204)
    app.enter(victim["email"], victim["password"])
    reset(app, theirs, fresh_password()).expect(204)


@check(4, "Asking for a reset tells nothing about the address", "ASVS 6.3.8")
def forgot_alike(app: Target) -> None:
    known = app.account()["email"]
    emails = (known, known.upper(), fresh_email(), "A@b.example")
    alike([app.anonymous.post(FORGOT, {"email": email}).expect(202) for email in emails])
    app.mail(known, "reset-password", 2)
    equal(app.mailbox.all(emails[2]), [], "mails to nobody")


@check(4, "Nor does the time it takes", "ASVS 6.3.8")
def forgot_time(app: Target) -> None:
    known = app.account()["email"]
    for path in (FORGOT, RESEND):
        same_time(asking(app, path, known), 202)


def asking(app: Target, path: str, known: str) -> dict[str, Callable[[int], Send]]:
    """The same request about an address that is known, and about others."""
    return {
        "known": lambda _: partial(app.anonymous.post, path, {"email": known}),
        "unknown": lambda _: partial(app.anonymous.post, path, {"email": fresh_email()}),
    }


@check(4, "A new password is compared as it was set", "ASVS 6.2.8")
def reset_exact(app: Target) -> None:
    known = app.account()
    new = f"A{secrets.token_hex(50)}Z"
    reset(app, mailed(app, known["email"]), new).expect(204)
    for text in (new[:-1], new.lower()):
        login = {"email": known["email"], "password": text}
        app.anonymous.post(LOGIN, login).problem("invalid-credentials")
    app.enter(known["email"], new)
