"""Chapter 7: rate limits, exact and told in advance."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections import Counter

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.documented import SOME, operations
from scaffold.contract.checks.operations import LOW
from scaffold.contract.client import Answer, Client
from scaffold.contract.target import API, Target, fresh_email, together

QUOTA, AUTH_QUOTA = 10, 5
POLICY = '"default";q=10;w=3600'
AUTH_POLICY = '"auth";q=5;w=3600'
_addresses = itertools.count()
_prefix = secrets.randbelow(200)


def address() -> str:
    """A client address nobody else uses in this run."""
    number = next(_addresses)
    return f"10.{_prefix}.{number // 250}.{number % 250 + 1}"


def visitor(app: Target, at: str = "") -> Client:
    """Somebody behind the one proxy we trust."""
    return low(app).client(**{"X-Forwarded-For": at or address()})


def low(app: Target) -> Target:
    return app.operator.boot(**LOW)


def left(answer: Answer) -> int:
    """How many requests the answer says are left; its form is checked too."""
    match = re.fullmatch(r'"(default|auth)";r=(\d+);t=(\d+)', answer.header("RateLimit") or "")
    if not match:
        true(False, f"{answer}: RateLimit is {answer.header('RateLimit')}")  # noqa: FBT003
    return int(match[2]) if match else -1


def limited(answer: Answer) -> None:
    answer.problem("rate-limited")
    wait = int(answer.header("Retry-After") or 0)
    true(1 <= wait <= 3600, f"Retry-After: {wait}")
    equal(left(answer), 0, f"{answer}: requests left")


@check(
    7,
    "The limit is exact, and each answer says what is left",
    "draft-ietf-httpapi-ratelimit-headers, ASVS 2.4.1",
)
def limit_exact(app: Target) -> None:
    client = visitor(app)
    for number in range(QUOTA):
        answer = client.get("/nope").expect(404)
        equal(answer.header("RateLimit-Policy"), POLICY, answer)
        equal(left(answer), QUOTA - number - 1, f"left after {number + 1}")
    limited(client.get("/nope"))
    limited(client.get(f"{API}/notes"))


@check(7, "Parallel requests pass the limit by not one", "ASVS 15.4.2")
def limit_parallel(app: Target) -> None:
    client = visitor(app)
    answers = together([lambda: client.get(f"{API}/notes")] * 25)
    found = Counter(answer.status for answer in answers)
    equal(found, {401: QUOTA, 429: 25 - QUOTA}, "answers")


@check(7, "Logging in and registering share a tighter limit", "ASVS 6.3.1, OWASP API4:2023")
def limit_auth(app: Target) -> None:
    client = visitor(app)
    for number in range(AUTH_QUOTA):
        body = {"email": fresh_email(), "password": "wrong"}
        path = f"{API}/auth/login" if number % 2 else f"{API}/auth/register"
        answer = client.post(path, body).expect(401, 422)
        equal(answer.header("RateLimit-Policy"), AUTH_POLICY, answer)
        equal(left(answer), AUTH_QUOTA - number - 1, f"left after {number + 1}")
    limited(client.post(f"{API}/auth/login", {"email": fresh_email(), "password": "wrong"}))
    answer = client.get(f"{API}/notes").expect(401)
    equal(left(answer), QUOTA - 1, "the default limit is another one")


@check(7, "Whatever changes an account has the tighter limit", "ASVS 6.3.1, OWASP API4:2023")
def limit_auth_everywhere(app: Target) -> None:
    tight = [each for each in operations(app) if each.is_unsafe and f"{API}/auth/" in each.path]
    true(len(tight) > 10, f"only {len(tight)} operations")
    for operation in tight:
        answer = operation.send(visitor(app), {}, SOME)
        equal(answer.header("RateLimit-Policy"), AUTH_POLICY, answer)
        equal(left(answer), AUTH_QUOTA - 1, answer)


@check(7, "A person is limited wherever the requests come from", "OWASP API4:2023")
def limit_person(app: Target) -> None:
    person, other = app.person(), app.person()
    base = low(app)

    def ask(token: str | None, at: str) -> Answer:
        return base.client(token, **{"X-Forwarded-For": at}).get(f"{API}/users/me")

    same = address()
    for number in range(QUOTA):
        equal(left(ask(person.client.token, address())), QUOTA - number - 1, number)
    limited(ask(person.client.token, address()))
    again = app.enter(person.email, person.password)
    limited(ask(again.client.token, same))
    ask(other.client.token, same).expect(200)
    equal(left(visitor(app, same).get("/nope")), QUOTA - 1, "the address itself")


@check(7, "One client's limit is not another's")
def limit_apart(app: Target) -> None:
    client = visitor(app)
    for _ in range(QUOTA + 1):
        client.get("/nope")
    equal(left(visitor(app).get("/nope")), QUOTA - 1, "left for another")


@check(7, "A forged client address gains nothing without a trusted proxy", "ASVS 4.1.3, 15.3.4")
def limit_forged(app: Target) -> None:
    settings = {**LOW, "TRUSTED_PROXIES": "0", "RATE_LIMIT": "7/hour"}
    other = app.operator.boot(**settings)
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP")
    rest = [left(other.client(**{name: "192.0.2.9"}).get("/nope")) for name in names]
    equal(rest, sorted(rest, reverse=True), "one address, one count")
    equal(len(set(rest)), len(names), "each request counts")


@check(7, "Behind one proxy only the last hop counts", "ASVS 4.1.3, 15.3.4")
def limit_last_hop(app: Target) -> None:
    last = address()
    for number in range(3):
        client = visitor(app, f"203.0.113.{number}, {last}")
        equal(left(client.get("/nope")), QUOTA - number - 1, "left")


@check(7, "An IPv6 client is its /64", "RFC 6177")
def limit_ipv6(app: Target) -> None:
    net = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}"
    found = [left(visitor(app, f"{net}::{n}").get("/nope")) for n in (1, 2)]
    found.append(left(visitor(app, f"{net}:ffff::3").get("/nope")))
    equal(found, [QUOTA - 1, QUOTA - 2, QUOTA - 3], "left in one network")
    other = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"
    equal(left(visitor(app, other).get("/nope")), QUOTA - 1, "left in another network")


@check(7, "A bad token does not escape the limit", "ASVS 6.3.1")
def limit_bad_token(app: Target) -> None:
    at, base = address(), low(app)
    rest = []
    for _ in range(4):
        client = base.client(secrets.token_urlsafe(32), **{"X-Forwarded-For": at})
        rest.append(left(client.get(f"{API}/notes").expect(401)))
    equal(rest, [QUOTA - 1, QUOTA - 2, QUOTA - 3, QUOTA - 4], "left")


@check(7, "A blocked client comes back after the time it was told", "RFC 9110 10.2.3")
def limit_returns(app: Target) -> None:
    other = app.operator.boot(RATE_LIMIT="5/second", TRUSTED_PROXIES="1")
    client = other.client(**{"X-Forwarded-For": address()})
    statuses = [answer.status for answer in together([lambda: client.get("/nope")] * 12)]
    true(429 in statuses, statuses)
    # What we wait for is the limit's own second, in Retry-After.
    waited = client.get("/nope")
    if waited.status == 429:
        equal(waited.header("Retry-After"), "1", waited)
        time.sleep(1)
    client.get("/nope").expect(404)
