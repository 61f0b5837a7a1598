"""An app to try: where it answers, and what an operator of it can do."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from scaffold.contract.client import Answer, Client
from scaffold.contract.mailbox import Mail, Mailbox, mailbox
from scaffold.server import Server

T = TypeVar("T")
API = "/api/v1"
CORS_ORIGIN = "https://friend.example"
METRICS_TOKEN = "metrics-token-of-the-checks"  # noqa: S105 (of a server that lives for seconds)


class Operator(Protocol):
    """What checks need beside requests: the hands of whoever runs the app."""

    @property
    def directory(self) -> Path:
        """The project's."""

    @property
    def public_url(self) -> str: ...

    @property
    def cors_origin(self) -> str:
        """One of CORS_ORIGINS."""

    @property
    def metrics_token(self) -> str: ...

    @property
    def client_address(self) -> str:
        """Where the app takes us to come from."""

    @property
    def valkey(self) -> bool:
        """Whether the app shares its limits through a Valkey."""

    @property
    def database_url(self) -> str: ...

    @property
    def dead_database(self) -> str:
        """A DATABASE_URL of the app's own kind where nothing answers."""

    @property
    def mails(self) -> Path:
        """Where the app leaves its mails as files."""

    def promote(self, email: str) -> None:
        """Make the account an admin, by the app's own command."""

    def boot(self, **settings: str) -> Target:
        """The same app with other settings on the same database; shared between checks."""

    def start(self, **settings: str) -> Server:
        """Start a process of one's own, not yet ready; the check stops it."""

    def sql(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Run a statement on the app's database; `?` stands for a value."""

    def log(self) -> str:
        """Everything the app has written to its standard output."""


@dataclass(frozen=True)
class Person:
    """An account of one's own, logged in with a bearer token."""

    email: str
    password: str
    client: Client
    user: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.user["id"])

    @property
    def login(self) -> dict[str, str]:
        return {"email": self.email, "password": self.password}


@dataclass(frozen=True)
class Target:
    """An app that answers at `base`, with limits high enough not to be in the way."""

    base: str
    operator: Operator
    observe: Callable[[Answer], None] = field(default=lambda _: None)
    again: Callable[[Answer], bool] = field(default=lambda _: False)
    _first_admin: list[Person] = field(default_factory=list)

    def client(self, token: str | None = None, **headers: str) -> Client:
        return Client(self.base, token, headers, self.observe, self.again)

    @property
    def anonymous(self) -> Client:
        return self.client()

    @property
    def mailbox(self) -> Mailbox:
        return mailbox(self.operator.mails)

    def mail(self, email: str, kind: str, number: int = 1) -> Mail:
        """The `number`-th mail of a kind to an address; waits for it."""
        return self.mailbox.wait(email, kind, number)

    @property
    def host(self) -> str:
        """What a raw request says in Host."""
        return urlsplit(self.base).netloc

    @property
    def is_https(self) -> bool:
        return self.operator.public_url.startswith("https:")

    @property
    def cookie_name(self) -> str:
        return "__Host-session" if self.is_https else "session"

    def cookie(self, token: str | None) -> dict[str, str]:
        """The header by which a browser sends a session."""
        return {"Cookie": f"{self.cookie_name}={token}"}

    def account(self, name: str = "Ada Lovelace") -> dict[str, str]:
        """Register a fresh account and return what was sent."""
        body = {"email": fresh_email(), "password": fresh_password(), "name": name}
        self.anonymous.post(f"{API}/auth/register", body).expect(202)
        return body

    def person(self, name: str = "Ada Lovelace") -> Person:
        body = self.account(name)
        return self.enter(body["email"], body["password"])

    def enter(self, email: str, password: str) -> Person:
        """Log in once more."""
        body = {"email": email, "password": password}
        found = self.anonymous.post(f"{API}/auth/login", body).expect(200).json()
        return Person(email, password, self.client(found["token"]), found["user"])

    def admin(self) -> Person:
        """The operator makes the first admin; she makes the others."""
        if not self._first_admin:
            body = self.account("First")
            self.operator.promote(body["email"])
            self._first_admin.append(self.enter(body["email"], body["password"]))
        person = self.person("Root")
        first = self._first_admin[0].client
        first.patch(f"{API}/users/{person.id}", {"role": "admin"}).expect(200)
        return self.enter(person.email, person.password)

    def note(self, person: Person, title: str = "A note", **more: Any) -> dict[str, Any]:
        answer = person.client.post(f"{API}/notes", {"title": title, **more})
        return dict(answer.expect(201).json())


def fresh_email() -> str:
    return f"p{secrets.token_hex(8)}@example.com"


def fresh_password() -> str:
    """Digits alone: no name or address is in them by chance."""
    return f"{secrets.randbelow(10**24):024}"


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run all calls at the same moment and return their results in order."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
