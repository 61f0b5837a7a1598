"""Chapter 3: one opaque token for browsers and API clients, revoked at once."""

from __future__ import annotations

import hashlib
import re

from scaffold.contract.checks import check, equal, true
from scaffold.contract.client import Answer
from scaffold.contract.target import API, Person, Target

ME = f"{API}/users/me"
SESSIONS = f"{API}/auth/sessions"


def refused(answer: Answer) -> None:
    """The token was sent and is not good (any more)."""
    answer.problem("unauthenticated")
    challenge = answer.header("WWW-Authenticate") or ""
    true(challenge.startswith("Bearer") and 'error="invalid_token"' in challenge, challenge)


def cookie(answer: Answer) -> tuple[str, str, dict[str, str]]:
    """Name, value and lower-case attributes of the one cookie an answer sets."""
    first, *rest = (answer.header("Set-Cookie") or "=").split(";")
    name, _, value = first.partition("=")
    pairs = (part.strip().partition("=") for part in rest)
    return name, value, {key.lower(): found for key, _, found in pairs}


def browser_login(app: Target, account: dict[str, str]) -> Answer:
    login = {"email": account["email"], "password": account["password"], "transport": "cookie"}
    return app.anonymous.post(f"{API}/auth/login", login).expect(200)


@check(3, "A token carries 256 random bits and is new at each log-in", "ASVS 7.2.3, 7.2.4")
def token_shape(app: Target) -> None:
    person = app.person()
    again = app.enter(person.email, person.password)
    tokens = [person.client.token or "", again.client.token or ""]
    true(all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens), tokens)
    true(tokens[0] != tokens[1], "the same token twice")
    person.client.get(ME).expect(200)


@check(3, "The database keeps only the token's SHA-256", "ASVS 11.4.1")
def token_hashed(app: Target) -> None:
    token = app.person().client.token or ""
    digest = hashlib.sha256(token.encode()).hexdigest()
    rows = app.operator.sql("SELECT user_agent FROM sessions WHERE token_hash = ?", digest)
    equal(len(rows), 1, "sessions with the hash of the token")


@check(
    3,
    "A browser's cookie is HttpOnly, Lax, for the whole site, and the body has no token",
    "ASVS 3.3.2, 3.3.4",
)
def cookie_plain(app: Target) -> None:
    answer = browser_login(app, app.account())
    name, value, attributes = cookie(answer)
    equal(name, app.cookie_name, answer)
    true(len(value) == 43 and int(attributes.pop("max-age")) > 0, "value and Max-Age")
    attributes.pop("expires", None)
    true(("secure" in attributes) == app.is_https, attributes)
    attributes.pop("secure", None)
    equal(attributes, {"path": "/", "httponly": "", "samesite": "Lax"}, "attributes")
    true("token" not in answer.json() and value.encode() not in answer.body, answer.body)
    client = app.client(**app.cookie(value))
    client.get(ME).expect(200)


@check(
    3,
    "Behind https the cookie is __Host- and Secure",
    "RFC 6265bis 4.1.3.2, ASVS 3.3.1, 3.3.2, 3.3.3",
)
def cookie_secure(app: Target) -> None:
    other = app if app.is_https else app.operator.boot(PUBLIC_URL="https://app.example")
    name, value, attributes = cookie(browser_login(other, other.account()))
    equal(name, "__Host-session", "name")
    true("secure" in attributes and attributes["path"] == "/", attributes)
    true("domain" not in attributes, attributes)
    other.client(Cookie=f"session={value}").get(ME).expect(401)
    other.client(Cookie=f"{name}={value}").get(ME).expect(200)


@check(3, "Log-out clears the cookie")
def cookie_cleared(app: Target) -> None:
    _, value, _ = cookie(browser_login(app, app.account()))
    client = app.client(**app.cookie(value), **{"Sec-Fetch-Site": "same-origin"})
    answer = client.post(f"{API}/auth/logout").expect(204)
    name, empty, attributes = cookie(answer)
    equal((name, empty), (app.cookie_name, ""), "cookie")
    true(attributes.get("max-age") == "0" or "1970" in attributes.get("expires", ""), attributes)
    refused(client.get(ME))


@check(3, "A token in the URL is never read", "ASVS 14.2.1")
def token_in_query(app: Target) -> None:
    token = app.person().client.token
    for name in ("token", "access_token", "session", "authorization"):
        answer = app.anonymous.get(f"{ME}?{name}={token}")
        true(answer.status in {401, 422}, answer)


@check(3, "An explicit bearer token wins over the cookie")
def bearer_first(app: Target) -> None:
    owner, other = app.person("Owner"), app.person("Other")
    client = app.client(owner.client.token, **app.cookie(other.client.token))
    equal(client.get(ME).expect(200).json()["id"], owner.id, "who is logged in")
    refused(app.client("x" * 43, **app.cookie(other.client.token)).get(ME))


@check(3, "What is no bearer token is refused", "RFC 6750 3")
def token_malformed(app: Target) -> None:
    token = app.person().client.token or ""
    for value in (f"Basic {token}", token, "Bearer", f"Bearer {token} x", f"Bearer {token}x"):
        client = app.client(Authorization=value)
        client.get(ME).problem("unauthenticated")
    for value in (f"Basic {token}", token, "", "Digest x"):
        # No token was sent, so none is named as bad.
        challenge = app.client(Authorization=value).get(ME).header("WWW-Authenticate")
        equal(challenge, "Bearer", f"{value!r}: challenge")
    for value in ("x" * 43, token[:-1], token.swapcase(), "é" * 20, "0" * 5000):
        refused(app.client(value).get(ME))
    app.client(Authorization=f"bearer {token}").get(ME).expect(200)


@check(3, "Without a token the challenge names no error", "RFC 6750 3")
def token_missing(app: Target) -> None:
    answer = app.anonymous.get(ME)
    answer.problem("unauthenticated")
    equal(answer.header("WWW-Authenticate"), "Bearer", answer)
    app.person().client.get(ME).expect(200)


@check(3, "After log-out the token is dead, others live", "ASVS 7.4.1")
def logout(app: Target) -> None:
    person = app.person()
    other = app.enter(person.email, person.password)
    person.client.post(f"{API}/auth/logout").expect(204)
    refused(person.client.get(ME))
    refused(person.client.post(f"{API}/auth/logout"))
    other.client.get(ME).expect(200)


@check(
    3, "My sessions are listed newest first, the current one marked, without secrets", "ASVS 15.3.1"
)
def sessions_listed(app: Target) -> None:
    body = app.account()
    first = app.enter(body["email"], body["password"])
    agent = app.client(**{"User-Agent": "Mozilla/5.0 (checks)"})
    token = agent.post(f"{API}/auth/login", first.login).expect(200).json()["token"]
    answer = app.client(token).get(SESSIONS).expect(200)
    items = answer.json()["items"]
    equal([item["current"] for item in items], [True, False], "current")
    equal(items[0]["user_agent"], "Mozilla/5.0 (checks)", "user agent")
    digest = hashlib.sha256(token.encode()).hexdigest()
    true(token.encode() not in answer.body and digest.encode() not in answer.body, "a secret")


@check(3, "A session tells from which address it was begun")
def session_address(app: Target) -> None:
    (item,) = app.person().client.get(SESSIONS).expect(200).json()["items"]
    equal(item["client_address"], app.operator.client_address, "client address")


@check(3, "One session can be ended", "ASVS 7.5.2")
def session_ended(app: Target) -> None:
    person = app.person()
    other = app.enter(person.email, person.password)
    items = person.client.get(SESSIONS).expect(200).json()["items"]
    (target,) = [item["id"] for item in items if not item["current"]]
    person.client.delete(f"{SESSIONS}/{target}").expect(204)
    refused(other.client.get(ME))
    person.client.delete(f"{SESSIONS}/{target}").problem("not-found")
    person.client.get(ME).expect(200)


@check(3, "All other sessions can be ended", "ASVS 7.5.2")
def sessions_ended(app: Target) -> None:
    person = app.person()
    others = [app.enter(person.email, person.password) for _ in range(2)]
    stranger = app.person()
    person.client.delete(SESSIONS).expect(204)
    for other in others:
        refused(other.client.get(ME))
    for kept in (person, stranger):
        kept.client.get(ME).expect(200)


@check(3, "Nobody ends a stranger's session", "OWASP API1:2023, ASVS 8.2.2")
def session_stranger(app: Target) -> None:
    victim, attacker = app.person(), app.person()
    (item,) = victim.client.get(SESSIONS).expect(200).json()["items"]
    attacker.client.delete(f"{SESSIONS}/{item['id']}").problem("not-found")
    victim.client.get(ME).expect(200)


def age(app: Target, person: Person, column: str, moment: str) -> None:
    statement = f"UPDATE sessions SET {column} = ? WHERE user_id = ?"  # noqa: S608 (our own names)
    app.operator.sql(statement, moment, person.id)


@check(3, "An idle session ends", "ASVS 7.3.1")
def session_idle(app: Target) -> None:
    person = app.person()
    age(app, person, "last_seen_at", "2020-01-01 00:00:00.000000")
    refused(person.client.get(ME))


@check(3, "A session ends however busy it is", "ASVS 7.3.2")
def session_absolute(app: Target) -> None:
    person = app.person()
    age(app, person, "expires_at", "2020-01-01 00:00:00.000000")
    refused(person.client.get(ME))


@check(3, "Reading writes last_seen at most once a minute")
def session_seen_rarely(app: Target) -> None:
    person = app.person()

    def seen() -> str:
        return str(person.client.get(SESSIONS).expect(200).json()["items"][0]["last_seen_at"])

    equal({seen() for _ in range(4)}, {seen()}, "last_seen_at in one minute")


@check(3, "A very long user agent does no harm")
def session_long_agent(app: Target) -> None:
    client = app.client(**{"User-Agent": "x" * 3000})
    body = app.account()
    login = {"email": body["email"], "password": body["password"]}
    token = client.post(f"{API}/auth/login", login).expect(200).json()["token"]
    agent = app.client(token).get(SESSIONS).expect(200).json()["items"][0]["user_agent"]
    equal(agent, "x" * 255, "user agent kept")


PLANTED = "planted" + "x" * 36


@check(3, "A token planted before the log-in is worth nothing after it", "ASVS 7.2.4")
def session_fixation(app: Target) -> None:
    known = app.account()
    login = {"email": known["email"], "password": known["password"]}
    for headers in (app.cookie(PLANTED), {"Authorization": f"Bearer {PLANTED}"}):
        for transport in ("cookie", "bearer"):
            client = app.client(**headers)
            answer = client.post(f"{API}/auth/login", {**login, "transport": transport})
            value = cookie(answer.expect(200))[1] or answer.json()["token"]
            true(len(value) == 43 and value != PLANTED, f"token {value}")
            refused(app.client(PLANTED).get(ME))
    for field in ("token", "session", "session_id"):
        answer = app.anonymous.post(f"{API}/auth/login", {**login, field: PLANTED})
        equal(answer.pointers(), [f"#/{field}"], field)


@check(3, "Somebody else's session that was planted stays somebody else's", "ASVS 7.2.4")
def session_fixation_other(app: Target) -> None:
    attacker, victim = app.person("Attacker"), app.person("Victim")
    client = app.client(**app.cookie(attacker.client.token))
    token = client.post(f"{API}/auth/login", victim.login).expect(200).json()["token"]
    true(token != attacker.client.token, "the planted token")
    equal(app.client(token).get(ME).expect(200).json()["id"], victim.id, "who is logged in")
    # Whether the session is still there is another promise.
    answer = attacker.client.get(ME)
    true(answer.status == 401 or answer.json()["id"] == attacker.id, "the planted session")


@check(3, "Logging in once more ends the session that was sent along", "ASVS 7.2.4")
def login_ends_session(app: Target) -> None:
    person, other = app.person(), app.person()
    again = app.enter(person.email, person.password)
    for client in (person.client, app.client(**app.cookie(again.client.token))):
        client.post(f"{API}/auth/login", {**person.login, "password": "wrong"}).expect(401)
        client.get(ME).expect(200)
        client.post(f"{API}/auth/login", person.login).expect(200)
        refused(client.get(ME))
    other.client.get(ME).expect(200)


@check(3, "A deleted account takes its cookie back")
def cookie_cleared_with_account(app: Target) -> None:
    known = app.account()
    _, value, _ = cookie(browser_login(app, known))
    client = app.client(**app.cookie(value), **{"Sec-Fetch-Site": "same-origin"})
    name, empty, attributes = cookie(client.delete(ME, {"password": known["password"]}).expect(204))
    equal((name, empty), (app.cookie_name, ""), "cookie")
    equal(attributes.get("max-age"), "0", "Max-Age")
