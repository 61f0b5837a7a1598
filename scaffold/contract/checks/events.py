"""Chapters 2 and 9: what happens to accounts is logged and counted by name."""

from __future__ import annotations

from scaffold.contract.checks import check, equal, eventually, true
from scaffold.contract.checks.changes import CHANGE
from scaffold.contract.checks.guessing import TRIES, guess
from scaffold.contract.checks.logs import asked, lines
from scaffold.contract.checks.mail import AUTH
from scaffold.contract.checks.operations import events
from scaffold.contract.checks.resets import mailed
from scaffold.contract.checks.secondfactor import CONFIRM, TOTP, guarded
from scaffold.contract.client import Answer, Client
from scaffold.contract.target import API, Target, fresh_email, fresh_password
from scaffold.contract.totp import code

NAMES = (
    "email.verified",
    "password.reset",
    "password.changed",
    "totp.enabled",
    "recovery-code.used",
    "totp.disabled",
)


def life_of_an_account(app: Target) -> list[tuple[str, str]]:
    """Go through every change of an account; return each event's name and its request's id."""
    person, marks = app.person(), []

    def send(client: Client, method: str, path: str, body: dict[str, str]) -> Answer:
        marks.append(asked())
        answer = client.request(method, path, json=body, headers={"X-Request-Id": marks[-1]})
        return answer.expect(200, 204)

    new, newer = fresh_password(), fresh_password()
    token = app.mail(person.email, "verify-email").token
    send(app.anonymous, "POST", f"{AUTH}/verify-email", {"token": token})
    body = {"token": mailed(app, person.email), "password": new}
    send(app.anonymous, "POST", f"{AUTH}/password/reset", body)
    body = {"current_password": new, "password": newer}
    answer = send(app.enter(person.email, new).client, "POST", CHANGE, body)
    client = app.client(answer.json()["token"])
    begun = client.post(TOTP, {"password": newer}).expect(200).json()
    answer = send(client, "POST", CONFIRM, {"code": code(begun["secret"])})
    client, (word, *_) = app.client(answer.json()["token"]), answer.json()["recovery_codes"]
    body = {"email": person.email, "password": newer, "code": word}
    send(app.anonymous, "POST", f"{AUTH}/login", body)
    send(client, "DELETE", TOTP, {"password": newer})
    return list(zip(NAMES, marks, strict=True))


@check(9, "Changes of an account are logged by name", "ASVS 16.3.1")
def log_account_events(app: Target) -> None:
    for name, mark in life_of_an_account(app):
        found = [line for line in lines(app, mark, "request") if line.get("event") == name]
        equal(len(found), 1, f"lines with event {name}")


@check(2, "Changes of an account are counted by name", "ASVS 16.3.1")
def metrics_account_events(app: Target) -> None:
    before = events(app, NAMES)
    life_of_an_account(app)
    eventually(lambda: events(app, NAMES), [value + 1 for value in before], NAMES)


@check(9, "What admins do to others is logged by name", "ASVS 16.3.1")
def log_admin_events(app: Target) -> None:
    admin, person = app.admin(), app.person()
    for change, name in (
        ({"role": "admin"}, "role.changed"),
        ({"disabled": True}, "user.disabled"),
        ({"disabled": False}, "user.enabled"),
    ):
        mark = {"X-Request-Id": asked()}
        admin.client.patch(f"{API}/users/{person.id}", change, headers=mark).expect(200)
        names = [line.get("event") for line in lines(app, mark["X-Request-Id"], "request")]
        true(name in names, f"{name} is not among {names}")


@check(9, "A log-in says by which factor", "ASVS 16.3.1")
def log_login_factor(app: Target) -> None:
    plain, strong = app.person(), guarded(app)
    for person, sent, factor in (
        (plain, {}, "password"),
        (strong.person, {"code": code(strong.secret)}, "totp"),
        (strong.person, {"code": strong.recovery[0]}, "recovery-code"),
    ):
        mark = asked()
        body, headers = {**person.login, **sent}, {"X-Request-Id": mark}
        app.anonymous.post(f"{AUTH}/login", body, headers=headers).expect(200)
        told = [one for one in lines(app, mark, "request") if one.get("event") == "login"]
        equal([one.get("factor") for one in told], [factor], "factors")


@check(9, "A blocked account is logged by name", "ASVS 16.3.3")
def log_blocked(app: Target) -> None:
    login, mark = {"email": fresh_email(), "password": "wrong"}, asked()
    for _ in range(TRIES):
        guess(app, login["email"]).expect(401)
    app.anonymous.post(f"{AUTH}/login", login, headers={"X-Request-Id": mark}).expect(429)
    names = [line.get("event") for line in lines(app, mark, "request")]
    true("login.blocked" in names, f"login.blocked is not among {names}")


@check(9, "An event says whose account it is about, and who did it")
def log_event_subjects(app: Target) -> None:
    admin, person = app.admin(), app.person()
    for client, method, path, body, name, who in (
        (app.anonymous, "POST", f"{AUTH}/login", person.login, "login", None),
        (
            admin.client,
            "PATCH",
            f"{API}/users/{person.id}",
            {"role": "admin"},
            "role.changed",
            admin,
        ),
    ):
        mark = asked()
        client.request(method, path, json=body, headers={"X-Request-Id": mark}).expect(200)
        (line,) = [one for one in lines(app, mark, "request") if one.get("event") == name]
        wanted = {"subject": person.id} | ({"user_id": who.id} if who else {})
        equal({key: line.get(key) for key in wanted}, wanted, name)
