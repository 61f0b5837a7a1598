"""What one stack stored the other uses: a project may change stack, or run both side by side."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import services
from boots import Booted, baked, settings
from proxy import nginx
from services import Database

from scaffold.contract import totp
from scaffold.contract.checks import eventually
from scaffold.contract.checks.sessions import refused
from scaffold.contract.remote import Patience, Remote, RemoteTarget
from scaffold.contract.report import BROKEN
from scaffold.contract.target import API, Target, fresh_password
from scaffold.server import free_port
from scaffold.stacks import stacks
from scaffold.variants import variant
from scaffold.verify import attempt, select

AUTH, NOTES, ME = f"{API}/auth", f"{API}/notes", f"{API}/users/me"
# Whose migration makes the tables; the other's finds them there.
FIRST = {"postgresql": "flask", "mysql": "express"}
CHAPTERS = {"postgresql": 5, "mysql": 3}


@dataclass(frozen=True)
class Both:
    """Two stacks on one database, with one set of keys, and the front they share."""

    apps: dict[str, Target]
    front: Target
    # Which promises the front is held to.
    chapter: int


@pytest.fixture(scope="module", params=FIRST)
def both(request: pytest.FixtureRequest, database: Callable[[str], Database]) -> Iterator[Both]:
    kind = request.param
    server, port, apps = database(kind), free_port(), {}
    url, keys = server.fresh(), secrets.token_hex(32)
    with ExitStack() as stack:
        shared = {"SECRET_KEYS": keys, "PUBLIC_URL": f"http://127.0.0.1:{port}"}
        valkey = stack.enter_context(services.valkey())
        for which in sorted(stacks().values(), key=lambda one: one.name != FIRST[kind]):
            project = stack.enter_context(baked(variant(which, database=kind)))
            env = settings(url, valkey) | shared | {"TRUSTED_PROXIES": "1"}
            operator = Booted(project, server, env, stack)
            operator.migrate()
            apps[which.name] = operator.target()
        ports = [int(app.host.rpartition(":")[2]) for app in apps.values()]
        base = stack.enter_context(nginx(port, ports))
        patience = Patience(print)
        front = RemoteTarget(base, Remote(base, base), patience.observe, patience.again)
        yield Both(apps, front, CHAPTERS[kind])


@pytest.fixture(params=["flask-express", "express-flask"])
def pair(request: pytest.FixtureRequest, both: Both) -> tuple[Target, Target]:
    """Where something is made, and where it is used."""
    here, there = request.param.split("-")
    return both.apps[here], both.apps[there]


def test_accounts_sessions_and_notes(pair: tuple[Target, Target]) -> None:
    here, there = pair
    person = here.person()
    again = there.enter(person.email, person.password)
    assert there.client(person.client.token).get(ME).json() == again.user
    note = here.note(person, "shared", tags=["b", "a"])
    path = f"{NOTES}/{note['id']}"
    found = again.client.get(path).expect(200)
    assert (found.json(), found.header("ETag")) == (note, '"1"')
    again.client.patch(path, {"title": "two"}, headers={"If-Match": '"1"'}).expect(200)
    person.client.patch(path, {"title": "x"}, headers={"If-Match": '"1"'}).expect(412)
    assert person.client.get(path).json()["title"] == "two"
    items = person.client.get(f"{AUTH}/sessions").json()["items"]
    assert [item["current"] for item in items] == [False, True]
    again.client.post(f"{AUTH}/logout").expect(204)
    refused(here.client(again.client.token).get(path))


def test_pages_begun_here_go_on_there(pair: tuple[Target, Target]) -> None:
    here, there = pair
    person = here.person()
    for number in range(3):
        here.note(person, str(number))
    path = person.client.get(f"{NOTES}?limit=2").expect(200).json()["next"]
    items = there.client(person.client.token).get(path).expect(200).json()["items"]
    assert [item["title"] for item in items] == ["0"]


def test_a_password_changed_there(pair: tuple[Target, Target]) -> None:
    here, there = pair
    person, new = here.person(), fresh_password()
    body = {"current_password": person.password, "password": new}
    found = there.client(person.client.token).post(f"{AUTH}/password/change", body).expect(200)
    refused(person.client.get(ME))
    here.client(found.json()["token"]).get(ME).expect(200)
    assert here.enter(person.email, new).id == person.id
    old = {"email": person.email, "password": person.password}
    for app in pair:
        app.anonymous.post(f"{AUTH}/login", old).problem("invalid-credentials")


def test_an_account_deleted_there(pair: tuple[Target, Target]) -> None:
    here, there = pair
    person = here.person()
    here.note(person, tags=["x"])
    client = there.client(person.client.token)
    client.delete(ME, {"password": person.password}).expect(204)
    refused(person.client.get(ME))


def test_one_time_tokens_of_the_other(pair: tuple[Target, Target]) -> None:
    here, there = pair
    person, new = here.person(), fresh_password()
    token = here.mail(person.email, "verify-email").token
    there.anonymous.post(f"{AUTH}/verify-email", {"token": token}).expect(204)
    assert person.client.get(ME).json()["email_verified"] is True
    here.anonymous.post(f"{AUTH}/password/forgot", {"email": person.email}).expect(202)
    reset = {"token": here.mail(person.email, "reset-password").token, "password": new}
    there.anonymous.post(f"{AUTH}/password/reset", reset).expect(204)
    assert here.anonymous.post(f"{AUTH}/password/reset", reset).pointers() == ["#/token"]
    refused(person.client.get(ME))
    here.enter(person.email, new)


def test_a_second_factor_begun_here_counts_there(pair: tuple[Target, Target]) -> None:
    here, there = pair
    person = here.person()
    begun = person.client.post(f"{AUTH}/totp", {"password": person.password}).expect(200)
    secret, client = begun.json()["secret"], there.client(person.client.token)
    body = {"code": totp.code(secret, -1)}
    codes = client.post(f"{AUTH}/totp/confirm", body).expect(200).json()["recovery_codes"]

    def enter(app: Target, code: str) -> int:
        login = {"email": person.email, "password": person.password, "code": code}
        return app.anonymous.post(f"{AUTH}/login", login).status

    now = totp.code(secret)
    assert [enter(app, code) for code in (now, codes[0]) for app in pair] == [200, 401] * 2
    assert [enter(app, codes[1]) for app in reversed(pair)] == [200, 401]


def test_guesses_count_on_both(pair: tuple[Target, Target]) -> None:
    here, there = pair
    known = here.account()
    wrong = {"email": known["email"], "password": "wrong"}
    for app in (here, there, here, there, here):
        app.anonymous.post(f"{AUTH}/login", wrong).problem("invalid-credentials")
    for app in pair:
        app.anonymous.post(f"{AUTH}/login", wrong).problem("too-many-attempts")


def test_one_login_behind_one_front(both: Both) -> None:
    """A browser's cookie from the front is good at whoever is asked next, in turn."""
    front = both.front
    known = front.account()
    login = {"email": known["email"], "password": known["password"], "transport": "cookie"}
    answer = front.anonymous.post(f"{AUTH}/login", login).expect(200)
    cookie = (answer.header("Set-Cookie") or "").split(";")[0].partition("=")[2]
    browser = front.client(**front.cookie(cookie), Origin=front.operator.public_url)
    marks = [f"front-{secrets.token_hex(8)}" for _ in range(10)]
    for mark in marks:
        sent = {"X-Request-Id": mark}
        browser.post(NOTES, {"title": mark}, headers=sent).expect(201)
    found = browser.get(f"{NOTES}?limit=100").expect(200).json()["items"]
    assert [item["title"] for item in found] == marks[::-1]

    def served() -> Counter[str]:
        logs = {name: app.operator.log() for name, app in both.apps.items()}
        return Counter(name for mark in marks for name, log in logs.items() if mark in log)

    eventually(served, {"flask": 5, "express": 5}, "requests served")


def test_the_front_keeps_the_promises(both: Both) -> None:
    """Nobody can tell that two stacks take turns behind it."""
    outcomes = [attempt(check, both.front) for check in select({both.chapter})]
    assert [(each.check.name, each.reason) for each in outcomes if each.result == BROKEN] == []
    assert sum(each.result == "kept" for each in outcomes) > 10
