"""Nobody can tell from outside which stack answers, nor from the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from boots import Booted, baked, settings
from catalogue import schema
from conftest import DATABASES
from services import Database  # noqa: TC002 (ours)

import scaffold
from scaffold.contract.checks.headers import answers
from scaffold.contract.checks.operations import metrics
from scaffold.contract.client import Answer
from scaffold.contract.mailbox import SUBJECTS, Mail
from scaffold.contract.target import API, CORS_ORIGIN, Target, fresh_password
from scaffold.contract.totp import code, wrong_code
from scaffold.stacks import stacks
from scaffold.variants import variant

CONTRACT = Path(scaffold.__file__).parent / "contract" / "openapi.yaml"
FLASK, EXPRESS = stacks()["flask"], stacks()["express"]
SOME = "00000000-0000-7000-8000-000000000000"
# What differs from one run of the same app to the next.
MASKS = {
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}": "UUID",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z": "TIME",
    r"p[0-9a-f]{16}(@|%40)example\.com": "EMAIL",
    r"\b[A-Z2-7]{32}\b": "SECRET",
    r"\b[a-z2-7]{6}(-[a-z2-7]{6}){3}\b": "RECOVERY",
    r'"request_id": ?"[^"]+"': "REQUEST",
    r"(?<![\w-])[\w-]{43}(?![\w-])": "TOKEN",
    r"127\.0\.0\.1:\d+": "HOST",
    r";r=\d+;t=\d+": "LEFT",
    r"cursor=[\w-]+": "CURSOR",
}
OWN = {"date", "x-request-id", "content-length", "connection", "keep-alive"}


@dataclass
class Pair:
    """Both stacks, live, on one database that Flask's migration made."""

    flask: Target
    express: Target


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def pair(request: pytest.FixtureRequest, database: Callable[[str], Database]) -> Iterator[Pair]:
    server = database(request.param)
    url = server.fresh()
    with ExitStack() as stack:
        found = []
        for which in (FLASK, EXPRESS):
            project = stack.enter_context(baked(variant(which, database=request.param)))
            operator = Booted(project, server, settings(url), stack)
            operator.migrate()
            found.append(operator.target())
        yield Pair(*found)


def test_documents_are_the_contract(pair: Pair) -> None:
    flask, express = (
        target.anonymous.get("/openapi.json").expect(200).json()
        for target in (pair.flask, pair.express)
    )
    assert flask == express
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    assert {**flask, "info": None} == {**contract, "info": None}


def masked(text: str) -> str:
    for pattern, word in MASKS.items():
        text = re.sub(pattern, word, text)
    return text


def told(answer: Answer) -> dict[str, Any]:
    """All that an answer tells, without what differs each time."""
    headers = sorted(
        (name.lower(), masked(value)) for name, value in answer.headers if name.lower() not in OWN
    )
    kind = answer.header("Content-Type") or ""
    body: Any = masked(answer.body.decode())
    if "json" in kind and answer.body:
        body = {"keys": list(answer.json())} | {"text": re.sub(r"\s", "", body)}
    return {"request": masked(f"{answer}"), "headers": headers, "body": body}


def conversation(target: Target) -> list[dict[str, Any]]:
    """What one person sees of an app: every route, well and badly asked."""
    person = target.person()
    client, anonymous = person.client, target.anonymous
    note = f"{API}/notes/{target.note(person, tags=['x'])['id']}"
    login = {"email": person.email, "password": person.password}
    sends = [
        partial(anonymous.post, f"{API}/auth/login", login),
        partial(anonymous.post, f"{API}/auth/login", {**login, "transport": "cookie"}),
        partial(anonymous.post, f"{API}/auth/login", {**login, "password": "wrong"}),
        partial(anonymous.post, f"{API}/auth/register", {"email": "x", "name": 1, "y": 2}),
        partial(client.get, f"{API}/auth/sessions"),
        partial(client.get, f"{API}/users/me"),
        partial(client.patch, f"{API}/users/me", {"name": ""}),
        partial(client.get, f"{API}/notes?limit=1"),
        partial(client.get, f"{API}/notes?limit=x&z=1&q="),
        partial(client.request, "HEAD", note),
        partial(client.patch, note, {"title": "two", "tags": None}, headers={"If-Match": '"1"'}),
        partial(client.post, f"{API}/notes", {"title": 7, "tags": ["a", "a"], "body": None}),
        partial(client.delete, f"{API}/notes/{SOME}"),
        partial(client.delete, note),
        partial(client.get, f"{API}/users/{SOME}"),
        partial(target.client("x" * 43).get, note),
        partial(target.client(Origin=CORS_ORIGIN).get, "/healthz"),
        partial(target.client(Origin="https://evil.example").get, "/readyz"),
        partial(client.request, "OPTIONS", note),
        partial(anonymous.get, "/docs", headers={"Accept": "text/html"}),
        partial(anonymous.get, "/problems/validation", headers={"Accept": "text/html"}),
        partial(anonymous.get, "/.well-known/security.txt", headers={"Accept": "*/*"}),
        partial(anonymous.get, "/static/docs.js", headers={"Accept": "*/*"}),
        partial(anonymous.get, "/verify-email", headers={"Accept": "text/html"}),
        partial(anonymous.get, "/reset-password", headers={"Accept": "text/html"}),
        partial(anonymous.get, "/static/account.js", headers={"Accept": "*/*"}),
        partial(anonymous.get, "/%00"),
        partial(anonymous.get, "/"),
        partial(client.delete, f"{API}/users/me", {"password": "wrong"}),
        partial(client.post, f"{API}/auth/logout"),
        partial(client.post, f"{API}/auth/logout"),
    ]
    return [told(answer) for answer in (*answers(target, person), *(send() for send in sends))]


@dataclass
class Speaker:
    """Sends requests about accounts and remembers the answers."""

    target: Target
    said: list[Answer] = field(default_factory=list)

    def say(self, method: str, path: str, body: Any, token: str | None = None) -> Any:
        client = self.target.client(token)
        self.said.append(client.request(method, f"{API}/auth/{path}", json=body))
        return self.said[-1].json() if self.said[-1].body else None


def links(speaker: Speaker, email: str, new: str) -> None:
    """Confirm an address and reset a password, well and badly."""
    say, mail = speaker.say, speaker.target.mail
    token = {"token": mail(email, "verify-email").token}
    for body in (token, token, {"token": "x"}, {}, {"token": "x" * 43, "y": 1}):
        say("POST", "verify-email", body)
    for path in ("verify-email/resend", "password/forgot"):
        for body in ({"email": email}, {"email": "nobody@example.com"}, {"email": "x"}, {}):
            say("POST", path, body)
    token = {"token": mail(email, "reset-password").token}
    for password in ("short", "password1234", f"x{email}", new, new):
        say("POST", "password/reset", {**token, "password": password})


def factor(speaker: Speaker, email: str, password: str, token: str) -> None:
    """Switch a second factor on, use it, and switch it off, well and badly."""
    say = speaker.say
    say("POST", "totp/confirm", {"code": "123456"}, token)
    say("DELETE", "totp", {"password": password}, token)
    for body in ({}, {"password": "wrong"}):
        say("POST", "totp", body, token)
    secret = say("POST", "totp", {"password": password}, token)["secret"]
    for sent in ("x", wrong_code(secret)):
        say("POST", "totp/confirm", {"code": sent}, token)
    done = say("POST", "totp/confirm", {"code": code(secret, -1)}, token)
    say("POST", "totp", {"password": password}, done["token"])
    words = done["recovery_codes"]
    login = {"email": email, "password": password}
    say("POST", "login", login)
    for sent in ("", wrong_code(secret), code(secret), words[0], words[0]):
        say("POST", "login", {**login, "code": sent})
    for wanted in ("wrong", password, password):
        say("DELETE", "totp", {"password": wanted}, done["token"])


def account(target: Target) -> tuple[list[Answer], list[Mail]]:
    """One account from its first mail to the end of its second factor."""
    person, speaker = target.person(), Speaker(target)
    new, newer = fresh_password(), fresh_password()
    links(speaker, person.email, new)
    token = target.enter(person.email, new).client.token
    change = {"current_password": new, "password": newer}
    speaker.say("POST", "password/change", {**change, "current_password": "wrong"}, token)
    token = speaker.say("POST", "password/change", change, token)["token"]
    factor(speaker, person.email, newer, token)
    kinds = sorted(SUBJECTS.keys() - {"known-address"})
    return speaker.said, [target.mail(person.email, kind) for kind in kinds]


def read(mail: Mail) -> dict[str, Any]:
    """All that a mail tells, without what differs each time."""
    headers = {name.lower() for name in mail.message} - {"date", "message-id"}
    texts = (mail.subject, str(mail.message["From"]), mail.part("plain"), mail.part("html"))
    return {"headers": headers, "texts": [masked(text.replace("\r", "")) for text in texts]}


def test_the_life_of_an_account_is_the_same(pair: Pair) -> None:
    flask, express = account(pair.flask), account(pair.express)
    said = zip(flask[0], express[0], strict=True)
    assert [pair for pair in said if told(pair[0]) != told(pair[1])] == []
    assert [read(mail) for mail in flask[1]] == [read(mail) for mail in express[1]]


def test_a_conversation_is_the_same(pair: Pair) -> None:
    flask, express = conversation(pair.flask), conversation(pair.express)
    differences = [(one, two) for one, two in zip(flask, express, strict=True) if one != two]
    assert differences == []


def test_metrics_have_the_same_names(pair: Pair) -> None:
    names = [
        {name for name, _ in metrics(target) if not name.startswith(("nodejs_", "python_"))}
        for target in (pair.flask, pair.express)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("kind", DATABASES)
def test_schemas_are_equal(kind: str, database: Callable[[str], Database]) -> None:
    server = database(kind)
    found = []
    for which in (FLASK, EXPRESS):
        url = server.fresh()
        with baked(variant(which, database=kind)) as project, ExitStack() as stack:
            Booted(project, server, settings(url), stack).migrate()
            place = url.replace("///data", f"///{project.directory}/data", 1)
            found.append(schema(server, kind, place))
    assert found[0] == found[1]
