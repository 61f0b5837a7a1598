"""Chapter 4: registering and logging in."""

from __future__ import annotations

from functools import partial

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.timing import Send, same_time
from scaffold.contract.client import Answer
from scaffold.contract.target import API, Target, fresh_email, fresh_password, together

REGISTER, LOGIN = f"{API}/auth/register", f"{API}/auth/login"
BAD_EMAILS = (
    "",
    "plain",
    "@example.com",
    "a@b",
    "a@example..com",
    "a@-example.com",
    "a@example-.com",
    "a b@example.com",
    "a@exa mple.com",
    "a@example.com\n",
    "a@example.com\u0000",
    "ä@example.com",
    "a@exämple.com",
    "a@example.com, b@example.com",
    f"{'a' * 250}@example.com",
)


def body(**changed: object) -> dict[str, object]:
    return {"email": fresh_email(), "password": fresh_password(), "name": "Ada Lovelace", **changed}


def wrong(answer: Answer) -> tuple[object, ...]:
    """What of a refused log-in must be equal however it went wrong."""
    found = answer.problem("invalid-credentials")
    found.pop("request_id")
    names = sorted(name.lower() for name, _ in answer.headers)
    return found, names, answer.header("Content-Length"), answer.header("WWW-Authenticate")


@check(4, "Registering answers the same for a known address", "ASVS 6.3.8")
def register_known(app: Target) -> None:
    known = app.account()
    first = app.anonymous.post(REGISTER, body()).expect(202)
    again = app.anonymous.post(REGISTER, {**known, "password": fresh_password()}).expect(202)
    equal((first.json(), again.json()), ({"status": "accepted"},) * 2, "bodies")
    names = [sorted(name for name, _ in answer.headers) for answer in (first, again)]
    equal(names[0], names[1], "header names")


@check(4, "Registering a known address changes nothing", "ASVS 6.3.8")
def register_no_takeover(app: Target) -> None:
    known = app.account("Owner")
    theft = {"email": known["email"].upper(), "password": fresh_password(), "name": "Thief"}
    app.anonymous.post(REGISTER, theft).expect(202)
    equal(app.enter(known["email"], known["password"]).user["name"], "Owner", "name")
    app.anonymous.post(LOGIN, {k: theft[k] for k in ("email", "password")}).expect(401)


@check(4, "The same address registered at once in parallel makes one account")
def register_parallel(app: Target) -> None:
    one = body()
    answers = together([lambda: app.anonymous.post(REGISTER, one)] * 6)
    equal([answer.status for answer in answers], [202] * 6, "statuses")
    rows = app.operator.sql(
        "SELECT count(*) FROM users WHERE email_normalized = ?", str(one["email"])
    )
    equal(int(rows[0][0]), 1, "accounts")


@check(4, "Nothing can be slipped into an account", "OWASP API3:2023, ASVS 15.3.3")
def register_mass_assignment(app: Target) -> None:
    for extra in ("role", "id", "disabled", "email_verified", "password_hash", "created_at"):
        answer = app.anonymous.post(REGISTER, body(**{extra: "admin"}))
        equal(answer.pointers(), [f"#/{extra}"], answer)
        equal(answer.json()["errors"][0]["detail"], "is not allowed", answer)
    equal(app.person().user["role"], "user", "role")


@check(4, "Addresses follow the HTML standard's pattern with a dot in the domain", "ASVS 2.2.1")
def register_emails(app: Target) -> None:
    for email in BAD_EMAILS:
        answer = app.anonymous.post(REGISTER, body(email=email))
        equal(answer.pointers(), ["#/email"], f"{email!r}: {answer}")
    unusual = fresh_email().split("@")[0]
    for email in (f"{unusual}+tag@x.example", f"O'{unusual}@x.example", f"{unusual}!#$%@a.b.c"):
        app.anonymous.post(REGISTER, body(email=email)).expect(202)


@check(4, "An address is kept as given and compared without case")
def email_case(app: Target) -> None:
    email = fresh_email().capitalize()
    given = body(email=email)
    app.anonymous.post(REGISTER, given).expect(202)
    person = app.enter(email.upper(), str(given["password"]))
    equal(person.user["email"], email, "address as given")


@check(4, "Every missing field is named at once")
def register_missing(app: Target) -> None:
    answer = app.anonymous.post(REGISTER, {})
    equal(answer.pointers(), ["#/email", "#/name", "#/password"], answer)
    equal({error["detail"] for error in answer.json()["errors"]}, {"is required"}, answer)


@check(4, "Wrong password, unknown user and disabled user look alike", "ASVS 6.3.8")
def login_alike(app: Target) -> None:
    known, disabled = app.account(), app.person()
    admin = app.admin()
    admin.client.patch(f"{API}/users/{disabled.id}", {"disabled": True}).expect(200)
    first = wrong(app.anonymous.post(LOGIN, {"email": known["email"], "password": "wrong"}))
    for login in (
        {"email": fresh_email(), "password": "wrong"},
        disabled.login,
        {"email": disabled.email, "password": "wrong"},
        {"email": "no address at all", "password": "wrong"},
    ):
        equal(wrong(app.anonymous.post(LOGIN, login)), first, login)


@check(4, "An unknown user takes as long as a wrong password", "ASVS 6.3.8")
def login_time(app: Target) -> None:
    emails: list[str] = []

    def known(number: int) -> Send:
        # Nobody is guessed at often enough to be blocked.
        if number % 4 == 0:
            emails.append(app.account()["email"])
        return partial(app.anonymous.post, LOGIN, {"email": emails[-1], "password": "wrong"})

    def unknown(_: int) -> Send:
        return partial(app.anonymous.post, LOGIN, {"email": fresh_email(), "password": "wrong"})

    same_time({"known": known, "unknown": unknown}, 401)


@check(4, "Registering a known address takes as long as a new one", "ASVS 6.3.8")
def register_time(app: Target) -> None:
    known = app.account()
    same_time(
        {
            "known": lambda _: partial(app.anonymous.post, REGISTER, known),
            "new": lambda _: partial(app.anonymous.post, REGISTER, body()),
        },
        202,
    )


@check(4, "A log-in tells the end of the session and who it is, and nothing secret", "ASVS 15.3.1")
def login_answer(app: Target) -> None:
    known = app.account()
    answer = app.anonymous.post(
        LOGIN, {"email": known["email"], "password": known["password"]}
    ).expect(200)
    equal(sorted(answer.json()), ["expires_at", "token", "user"], "members")
    equal(sorted(answer.json()["user"]), USER, "members of user")
    true(known["password"] not in answer.body.decode() and b"argon2" not in answer.body, "secret")
    equal(answer.header("Cache-Control"), "no-store", answer)
    equal(answer.header("Set-Cookie"), None, answer)


SHOWN = ["id", "email", "name", "role", "email_verified", "totp_enabled", "disabled"]
USER = sorted([*SHOWN, "created_at", "updated_at"])


@check(4, "A log-in refuses what it does not know", "ASVS 2.2.1")
def login_unknown_fields(app: Target) -> None:
    login = {"email": fresh_email(), "password": "x", "remember": True}
    equal(app.anonymous.post(LOGIN, login).pointers(), ["#/remember"], "pointers")
    login = {"email": fresh_email(), "password": "x", "transport": "pigeon"}
    answer = app.anonymous.post(LOGIN, login)
    equal(answer.pointers(), ["#/transport"], "pointers")
    equal(answer.json()["errors"][0]["detail"], "must be one of: bearer, cookie", answer)
