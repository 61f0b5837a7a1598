"""Chapter 4: the second factor: begun, confirmed, asked for, switched off."""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from scaffold.contract.checks import check, equal, eventually, true
from scaffold.contract.checks.changes import browser, renewed_cookie, renewed_token
from scaffold.contract.checks.configuration import rotated
from scaffold.contract.checks.guessing import TRIES, blocked, guess
from scaffold.contract.checks.mail import AUTH
from scaffold.contract.checks.resets import mailed, reset
from scaffold.contract.checks.sessions import ME, browser_login, cookie, refused
from scaffold.contract.client import Answer
from scaffold.contract.target import API, Person, Target, fresh_password, together
from scaffold.contract.totp import code, wrong_code

TOTP, CONFIRM, LOGIN = f"{AUTH}/totp", f"{AUTH}/totp/confirm", f"{AUTH}/login"


@dataclass(frozen=True)
class Guarded:
    """A person whose second factor is on; its first code, of the step before, is spent."""

    person: Person
    secret: str
    recovery: list[str]


def begin(person: Person) -> str:
    answer = person.client.post(TOTP, {"password": person.password})
    return str(answer.expect(200).json()["secret"])


def guarded(app: Target) -> Guarded:
    return guard(app, app.person())


def guard(app: Target, person: Person) -> Guarded:
    secret = begin(person)
    # With the step before, two steps are left that are accepted without waiting.
    done = person.client.post(CONFIRM, {"code": code(secret, -1)}).expect(200).json()
    client = app.client(done["token"])
    person = Person(person.email, person.password, client, done["user"])
    return Guarded(person, secret, done["recovery_codes"])


def login(app: Target, person: Person, factor: str | None = None) -> Answer:
    more = {} if factor is None else {"code": factor}
    return app.anonymous.post(LOGIN, {**person.login, **more})


def wrong_factor(answer: Answer) -> None:
    """The code is wrong; the body of the request was fine."""
    equal(answer.pointers(), ["#/code"], answer)
    equal(answer.json()["errors"][0]["detail"], "is wrong", answer)


def stored(app: Target, person: Person) -> tuple[object, ...]:
    """The secret, when it was confirmed, and the last step."""
    columns = "totp_secret, totp_confirmed_at, totp_last_step"
    (row,) = app.operator.sql(f"SELECT {columns} FROM users WHERE id = ?", person.id)  # noqa: S608
    return tuple(row)


@check(
    4,
    "A second factor begins with 160 random bits and an address for the device",
    "RFC 4226 4, ASVS 6.5.3",
)
def totp_begin(app: Target) -> None:
    person = app.person()
    answer = person.client.post(TOTP, {"password": person.password}).expect(200)
    found = answer.json()
    true(re.fullmatch("[A-Z2-7]{32}", found["secret"]), found["secret"])
    equal(answer.header("Cache-Control"), "no-store", answer)
    parts = urlsplit(found["uri"])
    query = {key: value[0] for key, value in parse_qs(parts.query).items()}
    wanted = {"secret": found["secret"], "algorithm": "SHA1", "digits": "6", "period": "30"}
    equal({key: query.get(key) for key in wanted}, wanted, "parameters of the address")
    equal((parts.scheme, parts.netloc), ("otpauth", "totp"), found["uri"])
    name = unquote(parts.path.removeprefix("/"))
    equal(name, f"{query['issuer']}:{person.email}", "label")
    true(f":{person.email.replace('@', '%40')}?" in found["uri"], "the label is percent-encoded")


@check(4, "Each beginning makes another secret, and only the last one counts", "ASVS 6.5.3")
def totp_begin_again(app: Target) -> None:
    person = app.person()
    first, second = begin(person), begin(person)
    true(first != second, "the same secret twice")
    wrong_factor(person.client.post(CONFIRM, {"code": code(first)}))
    person.client.post(CONFIRM, {"code": code(second)}).expect(200)


@check(4, "Beginning wants the password: a stolen session locks nobody out", "ASVS 7.5.1")
def totp_begin_password(app: Target) -> None:
    person = app.person()
    secret = begin(person)
    for _ in range(TRIES):
        person.client.post(TOTP, {"password": "wrong"}).problem("invalid-credentials")
    blocked(person.client.post(TOTP, {"password": person.password}))
    blocked(person.client.post(CONFIRM, {"code": code(secret)}))


@check(4, "A second factor that was only begun asks for nothing")
def totp_unconfirmed(app: Target) -> None:
    person = app.person()
    begin(person)
    true(person.client.get(ME).json()["totp_enabled"] is False, "totp_enabled")
    login(app, person).expect(200)
    login(app, person, "000000").expect(200)


@check(
    4,
    "Confirming gives ten recovery codes, a new token, and ends every other session",
    "ASVS 6.5.4, 7.4.3",
)
def totp_confirm(app: Target) -> None:
    person = app.person()
    other = app.enter(person.email, person.password)
    answer = person.client.post(CONFIRM, {"code": code(begin(person))}).expect(200)
    renewed_token(app, answer, person)
    refused(other.client.get(ME))
    found = answer.json()
    equal(sorted(found), ["expires_at", "recovery_codes", "token", "user"], "members")
    true(found["user"]["totp_enabled"] is True, "totp_enabled")
    equal(len(set(found["recovery_codes"])), 10, "different recovery codes")
    for word in found["recovery_codes"]:
        true(re.fullmatch("[a-z2-7]{6}(-[a-z2-7]{6}){3}", word), f"recovery code {word}")
    app.mail(person.email, "totp-on")


@check(4, "In a browser confirming gives a new cookie", "ASVS 7.2.4")
def totp_confirm_cookie(app: Target) -> None:
    known = app.account()
    _, value, _ = cookie(browser_login(app, known))
    page = browser(app, value)
    secret = page.post(TOTP, {"password": known["password"]}).expect(200).json()["secret"]
    renewed_cookie(app, page.post(CONFIRM, {"code": code(secret)}), value)


@check(4, "Nothing is confirmed that was not begun, nor twice", "ASVS 2.3.1")
def totp_sequence(app: Target) -> None:
    person = app.person()
    person.client.post(CONFIRM, {"code": "123456"}).problem("conflict")
    person.client.delete(TOTP, {"password": "wrong"}).problem("conflict")
    found = guard(app, person)
    client = found.person.client
    for password in (person.password, "wrong"):
        client.post(TOTP, {"password": password}).problem("conflict")
    client.post(CONFIRM, {"code": code(found.secret)}).problem("conflict")
    login(app, found.person, code(found.secret)).expect(200)


@check(4, "What is no code has the wrong form", "ASVS 2.2.1")
def totp_code_form(app: Target) -> None:
    person = app.person()
    begin(person)
    for odd in ("", "12345", "1234567", "12345a", " 123456", "123456\n", "\u0661" * 6, "-12345"):
        answer = person.client.post(CONFIRM, {"code": odd})
        equal(answer.pointers(), ["#/code"], repr(odd))
        true(answer.json()["errors"][0]["detail"] != "is wrong", f"{odd!r} was tried")


@check(4, "Log-in wants the code once the password is right, and only then", "ASVS 6.3.3, 6.3.4")
def totp_login(app: Target) -> None:
    found = guarded(app)
    answer = login(app, found.person)
    answer.problem("second-factor-required")
    true((answer.header("WWW-Authenticate") or "").startswith("Bearer"), "a challenge")
    equal(answer.header("Set-Cookie"), None, answer)
    browser_too = app.anonymous.post(LOGIN, {**found.person.login, "transport": "cookie"})
    browser_too.problem("second-factor-required")
    equal(browser_too.header("Set-Cookie"), None, browser_too)
    wrong = {"email": found.person.email, "password": "wrong", "code": code(found.secret)}
    app.anonymous.post(LOGIN, wrong).problem("invalid-credentials")
    guess(app, found.person.email).problem("invalid-credentials")
    done = login(app, found.person, code(found.secret)).expect(200).json()
    true(done["user"]["totp_enabled"] is True, "totp_enabled")


@check(4, "A wrong code looks like a wrong password", "ASVS 6.3.8")
def totp_wrong(app: Target) -> None:
    found = guarded(app)
    for factor in (wrong_code(found.secret), "0" * 40, "x", "not a code"):
        login(app, found.person, factor).problem("invalid-credentials")
    body = {**found.person.login, "code": "1" * 41}
    equal(app.anonymous.post(LOGIN, body).pointers(), ["#/code"], "41 characters")


@check(
    4,
    "The step before and the one after are accepted, older and later ones are not",
    "RFC 6238 5.2",
)
def totp_window(app: Target) -> None:
    person = app.person()
    secret = begin(person)
    for offset in (-3, -2, 2, 3):
        wrong_factor(person.client.post(CONFIRM, {"code": code(secret, offset)}))
    found = guard(app, app.person())
    login(app, found.person, code(found.secret, -2)).problem("invalid-credentials")
    login(app, found.person, code(found.secret, 2)).problem("invalid-credentials")
    login(app, found.person, code(found.secret, 1)).expect(200)


@check(4, "A step is accepted once, and none before it afterwards", "RFC 6238 5.2, ASVS 6.5.1")
def totp_replay(app: Target) -> None:
    found = guarded(app)
    now = code(found.secret)
    login(app, found.person, now).expect(200)
    login(app, found.person, now).problem("invalid-credentials")
    after = code(found.secret, 1)
    login(app, found.person, after).expect(200)
    for spent in (after, now):
        login(app, found.person, spent).problem("invalid-credentials")


@check(4, "The code that confirmed logs nobody in", "RFC 6238 5.2, ASVS 6.5.1")
def totp_replay_confirm(app: Target) -> None:
    person = app.person()
    secret = begin(person)
    used = code(secret)
    person.client.post(CONFIRM, {"code": used}).expect(200)
    login(app, person, used).problem("invalid-credentials")
    login(app, person, code(secret, 1)).expect(200)


@check(4, "Of parallel log-ins with one code one succeeds", "ASVS 2.3.4, 6.5.1")
def totp_parallel(app: Target) -> None:
    found = guarded(app)
    now = code(found.secret)
    answers = together([lambda: login(app, found.person, now)] * 24)
    statuses = Counter(answer.status for answer in answers)
    equal((statuses[200], set(statuses) - {200, 401, 429}), (1, set()), f"answers {statuses}")


@check(4, "Guessing codes counts like guessing passwords", "ASVS 6.3.1")
def totp_guesses(app: Target) -> None:
    found = guarded(app)
    wrong = wrong_code(found.secret)
    for factor in (wrong, None, "aaaaaa-bbbbbb-cccccc-dddddd", None, wrong):
        login(app, found.person, factor).expect(401)
    blocked(login(app, found.person, code(found.secret)))
    blocked(guess(app, found.person.email))


@check(4, "A right password alone does not forget the failures", "ASVS 6.3.1")
def totp_guesses_kept(app: Target) -> None:
    found = guarded(app)
    for _ in range(TRIES):
        login(app, found.person).problem("second-factor-required")
    blocked(login(app, found.person, code(found.secret)))
    other = guarded(app)
    for _ in range(TRIES - 1):
        login(app, other.person).expect(401)
    login(app, other.person, code(other.secret)).expect(200)
    login(app, other.person).problem("second-factor-required")


@check(4, "Guessing codes in parallel gains nothing", "ASVS 6.3.1, 15.4.2")
def totp_guesses_parallel(app: Target) -> None:
    found = guarded(app)
    wrong = wrong_code(found.secret)
    answers = together([lambda: login(app, found.person, wrong)] * 16)
    statuses = Counter(answer.status for answer in answers)
    equal(statuses, {401: TRIES, 429: 16 - TRIES}, "answers to 16 codes at once")


@check(4, "Confirming is no way to guess codes", "ASVS 6.3.1")
def totp_guesses_confirm(app: Target) -> None:
    person = app.person()
    secret = begin(person)
    for _ in range(TRIES):
        wrong_factor(person.client.post(CONFIRM, {"code": wrong_code(secret)}))
    blocked(person.client.post(CONFIRM, {"code": code(secret)}))
    blocked(guess(app, person.email, person.password))


@check(4, "A right code at confirming forgets the failures before it")
def totp_confirm_forgets(app: Target) -> None:
    person = app.person()
    secret = begin(person)
    for _ in range(TRIES - 1):
        wrong_factor(person.client.post(CONFIRM, {"code": wrong_code(secret)}))
    person.client.post(CONFIRM, {"code": code(secret, -1)}).expect(200)
    login(app, person).problem("second-factor-required")
    login(app, person, code(secret)).expect(200)


@check(4, "A disabled account tells nothing of its second factor", "ASVS 6.3.8")
def totp_disabled_account(app: Target) -> None:
    admin, found = app.admin(), guarded(app)
    path = f"{API}/users/{found.person.id}"
    true(admin.client.get(path).expect(200).json()["totp_enabled"] is True, "totp_enabled")
    admin.client.patch(path, {"disabled": True}).expect(200)
    login(app, found.person).problem("invalid-credentials")
    login(app, found.person, code(found.secret)).problem("invalid-credentials")


@check(4, "A reset password does not pass by the second factor", "ASVS 6.4.3")
def totp_survives_reset(app: Target) -> None:
    found, new = guarded(app), fresh_password()
    token = app.mail(found.person.email, "verify-email").token
    app.anonymous.post(f"{AUTH}/verify-email", {"token": token}).expect(204)
    reset(app, mailed(app, found.person.email), new).expect(204)
    person = Person(found.person.email, new, app.client(), {})
    login(app, person).problem("second-factor-required")
    login(app, person, code(found.secret)).expect(200)


@check(4, "A reset that first proves an address removes what others set up before", "ASVS 6.4.3")
def totp_of_another(app: Target) -> None:
    found, new = guarded(app), fresh_password()
    reset(app, mailed(app, found.person.email), new).expect(204)
    person = app.enter(found.person.email, new)
    true(person.user["totp_enabled"] is False, "totp_enabled")
    login(app, person, found.recovery[0]).expect(200)
    again = guard(app, person)
    login(app, again.person, found.recovery[1]).problem("invalid-credentials")


@check(
    4,
    "Switching off wants the password, gives a new token and ends every other session",
    "ASVS 7.4.3, 7.5.1",
)
def totp_off(app: Target) -> None:
    found = guarded(app)
    other = login(app, found.person, code(found.secret)).expect(200).json()["token"]
    client = found.person.client
    client.delete(TOTP, {"password": "wrong"}).problem("invalid-credentials")
    true(client.get(ME).expect(200).json()["totp_enabled"] is True, "totp_enabled")
    answer = client.delete(TOTP, {"password": found.person.password})
    renewed_token(app, answer, found.person)
    equal(sorted(answer.json()), ["expires_at", "token", "user"], "members")
    true(answer.json()["user"]["totp_enabled"] is False, "totp_enabled")
    refused(app.client(other).get(ME))
    login(app, found.person).expect(200)
    app.mail(found.person.email, "totp-off")


@check(4, "In a browser switching off gives a new cookie", "ASVS 7.2.4")
def totp_off_cookie(app: Target) -> None:
    found = guarded(app)
    body = {**found.person.login, "code": code(found.secret), "transport": "cookie"}
    _, value, _ = cookie(app.anonymous.post(LOGIN, body).expect(200))
    password = {"password": found.person.password}
    renewed_cookie(app, browser(app, value).delete(TOTP, password), value)


@check(4, "Switching off is no way to guess the password", "ASVS 6.3.1")
def totp_off_guesses(app: Target) -> None:
    found = guarded(app)
    for _ in range(TRIES):
        answer = found.person.client.delete(TOTP, {"password": "wrong"})
        answer.problem("invalid-credentials")
    blocked(found.person.client.delete(TOTP, {"password": found.person.password}))


@check(4, "Switching off leaves nothing behind")
def totp_off_removes(app: Target) -> None:
    found = guarded(app)
    found.person.client.delete(TOTP, {"password": found.person.password}).expect(200)
    equal(stored(app, found.person), (None, None, None), "secret, confirmation and last step")
    ask = "SELECT count(*) FROM recovery_codes WHERE user_id = ?"
    equal(int(app.operator.sql(ask, found.person.id)[0][0]), 0, "recovery codes")


@check(4, "A second factor can be switched on once more, with another secret and other codes")
def totp_on_again(app: Target) -> None:
    first = guarded(app)
    answer = first.person.client.delete(TOTP, {"password": first.person.password}).expect(200)
    token = answer.json()["token"]
    person = Person(first.person.email, first.person.password, app.client(token), first.person.user)
    second = guard(app, person)
    true(first.secret != second.secret, "the same secret")
    equal(set(first.recovery) & set(second.recovery), set(), "recovery codes of before")
    login(app, person, first.recovery[0]).problem("invalid-credentials")
    login(app, person, code(first.secret)).problem("invalid-credentials")
    login(app, person, code(second.secret)).expect(200)


@check(4, "The secret is stored sealed", "ASVS 11.3.1, 11.3.2, 13.3.1")
def totp_sealed(app: Target) -> None:
    found = guarded(app)
    sealed = str(stored(app, found.person)[0])
    true(re.fullmatch("[A-Za-z0-9_-]{64}", sealed), f"stored as {sealed}")
    plain = base64.b32decode(found.secret)
    raw = base64.urlsafe_b64decode(sealed)
    true(plain not in raw and found.secret not in sealed, "the secret is readable")
    again = guarded(app)
    true(str(stored(app, again.person)[0])[:16] != sealed[:16], "the same nonce twice")


@check(4, "A sealed secret opens for its own account only", "ASVS 11.3.3")
def totp_sealed_bound(app: Target) -> None:
    found, thief = guarded(app), guarded(app)
    sealed = str(stored(app, thief.person)[0])
    move = "UPDATE users SET totp_secret = ?, totp_last_step = NULL WHERE id = ?"
    app.operator.sql(move, sealed, found.person.id)
    for secret in (thief.secret, found.secret):
        login(app, found.person, code(secret)).problem("invalid-credentials")
    login(app, found.person, found.recovery[0]).expect(200)


@check(4, "Secrets sealed under an older key still open, and are sealed anew", "ASVS 13.3.4")
def totp_sealed_rotation(app: Target) -> None:
    before, during, after = rotated(app)
    found = guarded(before)
    login(after, found.person, code(found.secret)).problem("invalid-credentials")
    said = '"a second factor cannot be read: its key is not among SECRET_KEYS"'
    eventually(lambda: after.operator.log().count(said), 1, "lines that say so")
    login(during, found.person, code(found.secret)).expect(200)
    login(after, found.person, code(found.secret, 1)).expect(200)
