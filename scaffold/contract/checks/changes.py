"""Chapter 4: whoever knows the password changes it, and everybody else is logged out."""

from __future__ import annotations

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.guessing import TRIES, blocked, guess
from scaffold.contract.checks.mail import AUTH
from scaffold.contract.checks.passwords import COMMON
from scaffold.contract.checks.resets import CONTEXT, mailed, reset, said
from scaffold.contract.checks.sessions import ME, browser_login, cookie, refused
from scaffold.contract.checks.verification import spent
from scaffold.contract.client import Answer, Client
from scaffold.contract.target import Person, Target, fresh_password

CHANGE = f"{AUTH}/password/change"


def change(person: Person, new: str, current: str = "") -> Answer:
    body = {"current_password": current or person.password, "password": new}
    return person.client.post(CHANGE, body)


def renewed_token(app: Target, answer: Answer, person: Person) -> Client:
    """The old token is dead, the one in the answer lives."""
    token = answer.expect(200).json()["token"]
    true(token != person.client.token, "the same token as before")
    equal(answer.header("Cache-Control"), "no-store", answer)
    refused(person.client.get(ME))
    client = app.client(token)
    client.get(ME).expect(200)
    return client


def renewed_cookie(app: Target, answer: Answer, value: str) -> Client:
    """The old cookie is dead, the one in the answer lives, and the body has no token."""
    name, fresh, attributes = cookie(answer.expect(200))
    equal(name, cookie_name(app), "cookie")
    true(len(fresh) == 43 and fresh != value, "a new value")
    true("httponly" in attributes and attributes["samesite"] == "Lax", attributes)
    true("token" not in answer.json() and fresh.encode() not in answer.body, answer.body)
    refused(app.client(**app.cookie(value)).get(ME))
    client = browser(app, fresh)
    client.get(ME).expect(200)
    return client


def cookie_name(app: Target) -> str:
    return app.cookie("x")["Cookie"].partition("=")[0]


def browser(app: Target, value: str) -> Client:
    """A page of our own with a session cookie."""
    return app.client(**app.cookie(value), **{"Sec-Fetch-Site": "same-origin"})


@check(4, "A changed password gives a new token and ends every other session", "ASVS 6.2.2, 7.4.3")
def change_renews(app: Target) -> None:
    person, new = app.person(), fresh_password()
    other = app.enter(person.email, person.password)
    answer = change(person, new)
    renewed_token(app, answer, person)
    equal(sorted(answer.json()), ["expires_at", "token", "user"], "members")
    equal(answer.json()["user"]["id"], person.id, "user")
    refused(other.client.get(ME))
    guess(app, person.email, person.password).problem("invalid-credentials")
    app.enter(person.email, new)
    app.mail(person.email, "password-changed")


@check(4, "In a browser the new token is a new cookie", "ASVS 7.2.4")
def change_cookie(app: Target) -> None:
    known = app.account()
    _, value, _ = cookie(browser_login(app, known))
    body = {"current_password": known["password"], "password": fresh_password()}
    renewed_cookie(app, browser(app, value).post(CHANGE, body), value)


@check(4, "A wrong current password changes nothing", "ASVS 6.2.3")
def change_wrong(app: Target) -> None:
    person, new = app.person(), fresh_password()
    answer = change(person, new, "not the password")
    answer.problem("invalid-credentials")
    equal(answer.header("Set-Cookie"), None, answer)
    person.client.get(ME).expect(200)
    guess(app, person.email, new).problem("invalid-credentials")
    app.enter(person.email, person.password)


@check(4, "Changing is no way to guess a password", "ASVS 6.3.1")
def change_guesses(app: Target) -> None:
    person = app.person()
    for _ in range(TRIES):
        change(person, fresh_password(), "wrong").problem("invalid-credentials")
    blocked(change(person, fresh_password()))
    blocked(guess(app, person.email, person.password))
    person.client.get(ME).expect(200)


@check(4, "A changed password follows the rules of a first one", "ASVS 6.2.4, 6.2.11")
def change_weak(app: Target) -> None:
    person = app.person("Grace Hopper")
    for password, detail in (
        (COMMON[0], "is too common"),
        (f"x{person.email.upper()}x", CONTEXT),
        ("my grace hopper 1", CONTEXT),
    ):
        equal(said(change(person, password)), ("#/password", detail), password)
    for password in ("short", "x" * 129):
        equal(change(person, password).pointers(), ["#/password"], password)
    app.enter(person.email, person.password)
    person.client.get(ME).expect(200)


@check(4, "A reset that is still under way ends with the change")
def change_ends_resets(app: Target) -> None:
    person, new = app.person(), fresh_password()
    token = mailed(app, person.email)
    change(person, new).expect(200)
    spent(reset(app, token, fresh_password()))
    app.enter(person.email, new)


@check(4, "Only the person himself changes the password")
def change_stranger(app: Target) -> None:
    victim, attacker = app.person(), app.person()
    body = {"current_password": victim.password, "password": fresh_password()}
    app.anonymous.post(CHANGE, body).problem("unauthenticated")
    attacker.client.post(CHANGE, body).problem("invalid-credentials")
    for field in ("email", "id", "user_id"):
        extra = {**body, field: victim.email}
        equal(attacker.client.post(CHANGE, extra).pointers(), [f"#/{field}"], field)
    app.enter(victim.email, victim.password)
