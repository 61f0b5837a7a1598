"""The servers that are compared: a rendered app, and bare ones on the same libraries."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaffold.contract.client import Client
from scaffold.contract.target import API, fresh_email, fresh_password
from scaffold.project import Project
from scaffold.render import render
from scaffold.server import Process, free_port
from scaffold.stacks import Stack
from scaffold.variants import variant
from tests.environments import base_environment, equip
from tests.services import private_directory

HERE = Path(__file__).parent
NOTES = f"{API}/notes"
TEXT = "Forty-two words would be a long note, so this is a short one that says so. " * 3
NOTE = {"title": "A note of usual length", "body": TEXT, "tags": ["red", "green", "blue"]}
# However fast a server is, a run ends.
MOST = 200_000
# The most that a limit may be: it counts, and never refuses.
LIMIT = "999999/second"
BARE = {
    "Python": (".venv/bin/python", "bare.py"),
    "TypeScript": ("node", "bare.mjs"),
}
NAMES = {
    "Python": {"raw": "WSGI function", "bare": "bare Flask", "app": "our Flask app"},
    "TypeScript": {"raw": "node:http", "bare": "bare Express", "app": "our Express app"},
}


@dataclass(frozen=True)
class Case:
    """A request, and which servers answer it."""

    name: str
    method: str
    path: str
    status: int
    kinds: tuple[str, ...]
    # Whose token goes with it: one person only reads, another only writes.
    who: str | None = None
    body: Any = None


CASES = (
    Case("GET /healthz", "GET", "/healthz", 200, ("raw", "bare", "app")),
    Case("GET notes", "GET", NOTES, 200, ("driver", "orm", "app"), "reader"),
    Case("POST notes", "POST", NOTES, 201, ("driver", "orm", "app"), "writer", NOTE),
)
KINDS = ("raw", "bare", "driver", "orm", "app")


@dataclass(frozen=True)
class Subject:
    """One server of one project, on one database, with so many processes."""

    project: Project
    kind: str
    processes: int
    environment: Mapping[str, str]
    tokens: Mapping[str, str]

    @property
    def name(self) -> str:
        names = NAMES[self.project.stack.language]
        names |= {"driver": f"{names['bare']}, driver", "orm": f"{names['bare']}, ORM"}
        return names[self.kind]

    @contextmanager
    def running(self) -> Iterator[Running]:
        port = free_port()
        env = {**self.environment, "PORT": str(port), "WEB_CONCURRENCY": str(self.processes)}
        log = self.project.directory / "benchmark.log"
        # A log that grows from round to round would make the later ones slower.
        log.unlink(missing_ok=True)
        path = "/healthz" if self.kind in {"raw", "bare"} else NOTES
        asked = Client(f"http://127.0.0.1:{port}", self.tokens["reader"])
        started = time.perf_counter()
        directory = self.project.directory
        with Process(self.command, log, directory=directory, env=env) as process:
            while not _answers(asked, "/readyz" if self.kind == "app" else path):
                if process.poll() is not None or time.perf_counter() > started + 30:
                    raise SystemExit(f"{self.name} did not start\n{process.output()}")
                time.sleep(0.005)
            yield Running(process, port, time.perf_counter() - started)

    @property
    def command(self) -> tuple[str, ...]:
        language = self.project.stack.language
        return self.project.serve if self.kind == "app" else (*BARE[language], self.kind)


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
def prepared(stack: Stack, database: str, url: str) -> Iterator[Subject]:
    """Render, equip, migrate, and register a reader with 20 notes and a writer."""
    with private_directory() as home:
        project = Project(home / "my-app")
        render(variant(stack, database=database), project.directory)
        equip(project)
        for path in (HERE / "bare").glob("bare.*"):
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
    tokens = {}
    for who in ("reader", "writer"):
        body = {"email": fresh_email(), "password": fresh_password()}
        client.post(f"{API}/auth/register", {**body, "name": "Ada Lovelace"}).expect(202)
        tokens[who] = str(client.post(f"{API}/auth/login", body).expect(200).json()["token"])
    reader = Client(client.base, tokens["reader"])
    for _ in range(20):
        reader.post(NOTES, NOTE).expect(201)
    return tokens


def load(
    running: Running, case: Case, tokens: Mapping[str, str], connections: int, seconds: float
) -> dict[str, float]:
    """Run the load generator once; any answer but the expected one is an error."""
    about = {"port": running.port, "method": case.method, "path": case.path}
    about |= {"token": tokens.get(case.who or ""), "body": case.body, "status": case.status}
    about |= {"connections": connections, "seconds": seconds, "most": MOST}
    done = subprocess.run(
        ["node", str(HERE / "load.mjs"), json.dumps(about)],
        env=base_environment(),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    if found["failed"] or not found["requests"]:
        raise SystemExit(f"{case.name}: {found}\n{running.process.output()}")
    return found
