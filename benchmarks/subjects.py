"""The servers that are compared: a rendered app, and bare ones on the same libraries."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.loads import NOTE, NOTES
from scaffold.contract.client import Client
from scaffold.contract.target import API, fresh_email, fresh_password
from scaffold.project import Project
from scaffold.render import render
from scaffold.server import Process, free_port
from scaffold.stacks import Stack
from scaffold.variants import variant
from tests.environments import base_environment, equip
from tests.services import Sqlite, postgresql, private_directory

HERE = Path(__file__).parent
# The most that a limit may be: it counts, and never refuses.
LIMIT = "999999/second"
BARE = {"Python": (".venv/bin/python", "bare.py"), "TypeScript": ("node", "bare.mjs")}
NAMES = {
    "Python": {
        "raw": "WSGI function",
        "bare": "bare Flask",
        "driver": "Flask + driver",
        "app": "our app",
    },
    "TypeScript": {
        "raw": "node:http",
        "bare": "bare Express",
        "driver": "Express + driver",
        "app": "our app",
    },
}
# The first 200 of which makes a server ready.
READY = {"raw": "/healthz", "bare": "/healthz", "driver": NOTES}


@dataclass(frozen=True)
class Subject:
    """One server of one project, on one database, with so many processes."""

    project: Project
    kind: str
    processes: int
    environment: Mapping[str, str]
    tokens: Mapping[str, str]
    # In place of the project's own, with `{port}` and `{processes}`.
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return NAMES[self.project.stack.language].get(self.kind, self.kind)

    def with_processes(self, count: int) -> Subject:
        return replace(self, processes=count)

    @contextmanager
    def running(self) -> Iterator[Running]:
        port = free_port()
        env = {**self.environment, "PORT": str(port), "WEB_CONCURRENCY": str(self.processes)}
        log = self.project.directory / f"{self.kind.split()[0]}.log"
        log.unlink(missing_ok=True)
        asked = Client(f"http://127.0.0.1:{port}", self.tokens["reader"])
        started = time.perf_counter()
        command = [part.format(port=port, processes=self.processes) for part in self._command]
        with Process(command, log, directory=self.project.directory, env=env) as process:
            while not _answers(asked, READY.get(self.kind, "/readyz")):
                if process.poll() is not None or time.perf_counter() > started + 30:
                    raise SystemExit(f"{self.name} did not start\n{process.output()}")
                time.sleep(0.005)
            yield Running(process, port, time.perf_counter() - started)

    @property
    def _command(self) -> tuple[str, ...]:
        if self.command:
            return self.command
        if self.kind == "app":
            return self.project.serve
        return (*BARE[self.project.stack.language], self.kind)


@dataclass(frozen=True)
class Running:
    """A server that answers, and how long it took to get there."""

    process: Process
    port: int
    start: float


def _answers(client: Client, path: str) -> bool:
    try:
        return client.get(path).status == 200
    except OSError:
        return False


@contextmanager
def fresh(database: str) -> Iterator[str]:
    """The URL of an empty database."""
    if database == "sqlite":
        yield Sqlite().fresh()
        return
    with postgresql() as server:
        yield server.fresh()


@contextmanager
def prepared(stack: Stack, database: str, url: str) -> Iterator[Subject]:
    """Render, equip, migrate, and register a reader with 20 notes and a writer."""
    with private_directory() as home:
        project = Project(home / "my-app")
        render(variant(stack, database=database), project.directory)
        equip(project)
        for path in (HERE / "bare").glob("*.*"):
            shutil.copy(path, project.directory)
        env = base_environment() | {"APP_ENV": "production", "DATABASE_URL": url}
        env |= {"SECRET_KEYS": secrets.token_hex(32), "MAIL_URL": "file:mail"}
        env |= {"RATE_LIMIT": LIMIT, "RATE_LIMIT_AUTH": LIMIT, "SHUTDOWN_SECONDS": "5"}
        done = project.make("migrate", env=env)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        app = Subject(project, "app", 1, env, {"reader": "", "writer": ""})
        with app.running() as running:
            tokens = _people(Client(f"http://127.0.0.1:{running.port}"))
        yield Subject(project, "app", 1, env, tokens)


def _people(client: Client) -> dict[str, str]:
    """A reader of 20 notes, a writer, and one with a hundred notes of ten thousand characters."""
    tokens = {}
    for who in ("reader", "writer", "hoarder"):
        body = {"email": fresh_email(), "password": fresh_password()}
        client.post(f"{API}/auth/register", {**body, "name": "Ada Lovelace"}).expect(202)
        tokens[who] = str(client.post(f"{API}/auth/login", body).expect(200).json()["token"])
    for who, count, text in (("reader", 20, NOTE["body"]), ("hoarder", 100, "x" * 10_000)):
        owner = Client(client.base, tokens[who])
        for _ in range(count):
            owner.post(NOTES, {**NOTE, "body": text}).expect(201)
    return tokens
