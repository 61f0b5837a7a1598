"""Chapter 4: five wrong guesses per account and fifteen minutes."""

from __future__ import annotations

from collections import Counter

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.auth import LOGIN
from scaffold.contract.client import Answer
from scaffold.contract.target import API, Target, fresh_email, together

TRIES = 5


def guess(app: Target, email: str, password: str = "wrong") -> Answer:  # noqa: S107 (is wrong)
    return app.anonymous.post(LOGIN, {"email": email, "password": password})


def blocked(answer: Answer) -> None:
    answer.problem("too-many-attempts")
    wait = int(answer.header("Retry-After") or 0)
    true(0 < wait <= 15 * 60, f"Retry-After: {wait}")


@check(4, "After five failures even the right password is refused", "ASVS 6.3.1")
def guessing_blocks(app: Target) -> None:
    known = app.account()
    for _ in range(TRIES):
        guess(app, known["email"]).problem("invalid-credentials")
    blocked(guess(app, known["email"]))
    blocked(guess(app, known["email"], known["password"]))


@check(4, "An account that does not exist is blocked the same way", "ASVS 6.3.8")
def guessing_unknown(app: Target) -> None:
    email = fresh_email()
    for _ in range(TRIES):
        guess(app, email).problem("invalid-credentials")
    blocked(guess(app, email))


@check(4, "Guessing in parallel gains nothing", "ASVS 6.3.1, 15.4.2")
def guessing_parallel(app: Target) -> None:
    for email in (app.account()["email"], fresh_email()):
        answers = together([lambda email=email: guess(app, email)] * 20)  # type: ignore[misc]
        statuses = Counter(answer.status for answer in answers)
        equal(statuses, {401: TRIES, 429: 20 - TRIES}, "answers to 20 guesses at once")


@check(4, "Writing the address differently gains nothing", "ASVS 6.3.1")
def guessing_case(app: Target) -> None:
    email = app.account()["email"]
    for spelling in (email, email.upper(), email.capitalize(), email.swapcase(), email.title()):
        guess(app, spelling).problem("invalid-credentials")
    blocked(guess(app, email))


@check(4, "A right password forgets the failures before it")
def guessing_forgets(app: Target) -> None:
    known = app.account()
    for _ in range(2):
        for _ in range(TRIES - 1):
            guess(app, known["email"]).expect(401)
        guess(app, known["email"], known["password"]).expect(200)


@check(4, "Guessing one account blocks no other", "ASVS 6.3.1")
def guessing_apart(app: Target) -> None:
    victim, other = app.account(), app.account()
    for _ in range(TRIES + 1):
        guess(app, victim["email"])
    guess(app, other["email"], other["password"]).expect(200)


@check(4, "A blocked account's sessions live on")
def guessing_sessions_live(app: Target) -> None:
    person = app.person()
    for _ in range(TRIES + 1):
        guess(app, person.email)
    person.client.get(f"{API}/users/me").expect(200)


@check(4, "Deleting an account is no way to guess its password", "ASVS 6.3.1")
def guessing_delete(app: Target) -> None:
    person = app.person()
    for _ in range(TRIES):
        answer = person.client.delete(f"{API}/users/me", {"password": "wrong"})
        answer.problem("invalid-credentials")
    blocked(person.client.delete(f"{API}/users/me", {"password": person.password}))
    blocked(guess(app, person.email, person.password))


@check(4, "A forged client address gains nothing", "ASVS 4.1.3, 15.3.4")
def guessing_forwarded(app: Target) -> None:
    email = app.account()["email"]
    body = {"email": email, "password": "wrong"}
    statuses = [
        app.client(**{"X-Forwarded-For": f"192.0.2.{n}"}).post(LOGIN, body).status
        for n in range(TRIES + 1)
    ]
    equal(statuses, [401] * TRIES + [429], "statuses")


@check(4, "Nobody keeps an account locked: going on does not make the block longer", "ASVS 6.3.1")
def guessing_window(app: Target) -> None:
    known = app.account()
    for _ in range(TRIES):
        guess(app, known["email"]).expect(401)
    waits = [guess(app, known["email"]).header("Retry-After") for _ in range(TRIES + 3)]
    numbers = [int(wait or 0) for wait in waits]
    equal(numbers, sorted(numbers, reverse=True), "Retry-After of one refusal after another")
    true(0 < numbers[-1] <= numbers[0] <= 15 * 60, numbers)
