"""Projects rendered, equipped, migrated and started for the tests."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import base_environment, equip
from services import Database, private_directory

from scaffold.contract.client import Answer
from scaffold.contract.target import CORS_ORIGIN, METRICS_TOKEN, Target
from scaffold.project import Project
from scaffold.render import render
from scaffold.server import Server, free_port
from scaffold.variants import Variant

_logs = itertools.count(1)
ABUNDANT = "100000/minute"


@contextmanager
def baked(variant: Variant) -> Iterator[Project]:
    """Render into a directory of its own and link the shared dependencies."""
    with private_directory() as home:
        directory = home / variant.answers["project_slug"]
        render(variant, directory)
        project = Project(directory)
        equip(project)
        yield project


def settings(database_url: str, valkey_url: str = "") -> dict[str, str]:
    """A production app whose limits are not in the way, on a port of its own."""
    port = free_port()
    return {
        **base_environment(),
        "APP_ENV": "production",
        "PORT": str(port),
        "DATABASE_URL": database_url,
        "VALKEY_URL": valkey_url,
        "SECRET_KEYS": secrets.token_hex(32),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CORS_ORIGINS": CORS_ORIGIN,
        "RATE_LIMIT": ABUNDANT,
        "RATE_LIMIT_AUTH": ABUNDANT,
        "METRICS_TOKEN": METRICS_TOKEN,
        "MAIL_URL": "file:mail",
        # Limits in memory are a process's own.
        "WEB_CONCURRENCY": "2" if valkey_url else "1",
        "SHUTDOWN_SECONDS": "5",
    }


@dataclass
class Booted:
    """A migrated project and the servers started from it: the checks' operator."""

    project: Project
    database: Database
    env: Mapping[str, str]
    stack: ExitStack
    observe: Callable[[Answer], None] = field(default=lambda _: None)
    _others: dict[frozenset[tuple[str, str]], Target] = field(default_factory=dict)
    server: Server | None = None

    @property
    def directory(self) -> Path:
        return self.project.directory

    @property
    def public_url(self) -> str:
        return self.env["PUBLIC_URL"]

    @property
    def cors_origin(self) -> str:
        return self.env["CORS_ORIGINS"]

    @property
    def metrics_token(self) -> str:
        return self.env["METRICS_TOKEN"]

    @property
    def client_address(self) -> str:
        return "127.0.0.1"

    @property
    def valkey(self) -> bool:
        return bool(self.env["VALKEY_URL"])

    @property
    def database_url(self) -> str:
        return self.env["DATABASE_URL"]

    @property
    def mails(self) -> Path:
        return self.directory / self.env["MAIL_URL"].removeprefix("file:")

    @property
    def dead_database(self) -> str:
        return self.database.dead

    def target(self) -> Target:
        """Start the app as it is configured, once."""
        self.server = self.stack.enter_context(self._start(self.env)).ready()
        return Target(self.server.base, self, self.observe)

    def boot(self, **changed: str) -> Target:
        key = frozenset(changed.items())
        if key not in self._others:
            env = self._changed(changed)
            if self.valkey:
                # Limits of one configuration must not fill those of another.
                env["VALKEY_URL"] = f"{self.env['VALKEY_URL'][:-1]}{len(self._others) + 1}"
            other = Booted(self.project, self.database, env, self.stack, self.observe)
            self._others[key] = other.target()
        return self._others[key]

    def start(self, **changed: str) -> Server:
        return self._start(self._changed(changed))

    def _changed(self, changed: Mapping[str, str]) -> dict[str, str]:
        port = free_port()
        own = {"PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}"}
        return {**self.env, **own, **changed}

    def _start(self, env: Mapping[str, str]) -> Server:
        log = self.directory.parent / f"server{next(_logs)}.log"
        return Server(self.project, env, log)

    def promote(self, email: str) -> None:
        done = self.project.make("admin", f"EMAIL={email}", env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr

    def migrate(self) -> None:
        done = self.project.make("migrate", env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr

    def sql(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        url = self.env["DATABASE_URL"]
        if url.startswith("sqlite:///data"):
            url = url.replace("sqlite:///", f"sqlite:///{self.directory}/", 1)
        return self.database.sql(url, statement, *values)

    def log(self) -> str:
        assert self.server is not None
        return self.server.log.read_text(encoding="utf-8")


@contextmanager
def booted(
    variant: Variant,
    database: Database,
    valkey_url: str = "",
    observe: Callable[[Answer], None] = lambda _: None,
) -> Iterator[Target]:
    """A variant, live, on a database of its own."""
    with baked(variant) as project, ExitStack() as stack:
        env = settings(database.fresh(), valkey_url)
        operator = Booted(project, database, env, stack, observe)
        operator.migrate()
        yield operator.target()
