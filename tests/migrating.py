"""Projects to migrate: further migrations for them, of the same SQL on both stacks."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from boots import baked, settings
from catalogue import schema
from services import Database  # noqa: TC002 (ours)

from scaffold.project import Project
from scaffold.server import Process
from scaffold.stacks import stacks
from scaffold.variants import variant

HOLD = "hold"
TABLES = ("users", "sessions", "one_time_tokens", "recovery_codes", "notes", "note_tags")
PYTHON = '''"""{name}."""

import time
from pathlib import Path

from alembic import op

revision = "{number}"
down_revision = "{before}"


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}


def hold() -> None:
    Path("held").touch()
    for _ in range(1200):
        if Path("go").exists():
            return
        time.sleep(0.05)
'''
TYPESCRIPT = """/** {name}. */
import {{ existsSync, writeFileSync }} from "node:fs";
import {{ setTimeout }} from "node:timers/promises";
import type {{ MigrationInterface, QueryRunner }} from "typeorm";

export class {title}176370000{number} implements MigrationInterface {{
  readonly name = "{title}176370000{number}";

  async up(queryRunner: QueryRunner): Promise<void> {{
    {up}
  }}

  async down(queryRunner: QueryRunner): Promise<void> {{
    {down}
  }}
}}

async function hold(): Promise<void> {{
  writeFileSync("held", "");
  for (let left = 1200; left > 0 && !existsSync("go"); left -= 1) {{
    await setTimeout(50);
  }}
}}
"""
_numbers = itertools.count(1)


@dataclass
class Ground:
    """A project that is migrated on one database after another."""

    project: Project
    kind: str
    database: Database
    env: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.project.stack.name

    @property
    def directory(self) -> Path:
        return self.project.directory

    @property
    def url(self) -> str:
        return self.env["DATABASE_URL"]

    @property
    def folder(self) -> Path:
        return self.directory / "migrations" / ("versions" if self.name == "flask" else "")

    def renew(self, url: str = "") -> None:
        """Begin again: an empty database, and the first migration alone."""
        if not url and self.kind == "sqlite":
            url = f"sqlite:///{self.directory}/data/{next(_numbers)}.db"
        self.env = settings(url or self.database.fresh())
        for path in self.folder.glob("000[2-9]_*"):
            path.unlink()
        # Bytecode of a file that another of the same size and second replaces would be believed.
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)
        for name in ("held", "go"):
            (self.directory / name).unlink(missing_ok=True)

    def write(self, stem: str, up: Sequence[str], down: Sequence[str] = ()) -> None:
        """Add the migration `stem`, like `0002_letters`, or put another in its place."""
        number, name = stem.split("_", 1)
        values = {"number": number, "before": f"{int(number) - 1:04d}", "name": name}
        values |= {"title": name.title(), "up": self._body(up), "down": self._body(down)}
        is_python = self.name == "flask"
        suffix, form = (".py", PYTHON) if is_python else (".ts", TYPESCRIPT)
        (self.folder / f"{stem}{suffix}").write_text(form.format(**values))
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)

    def _body(self, steps: Sequence[str]) -> str:
        if self.name == "flask":
            lines = ["hold()" if step == HOLD else f"op.execute({step!r})" for step in steps]
            return "\n    ".join(lines or ["pass"])
        lines = [
            "await hold();" if step == HOLD else f"await queryRunner.query(`{step}`);"
            for step in steps
        ]
        return "\n    ".join(lines)

    def make(self, word: str) -> CompletedProcess[str]:
        return self.project.make(word, env=self.env)

    def done(self, word: str) -> str:
        """What a run says that ends well."""
        done = self.make(word)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, word: str) -> str:
        """What a run says that ends with status 1 and a sentence."""
        done = self.make(word)
        # The status of make is its own; it tells that of the command.
        assert "Error 1" in done.stderr, done.stdout + done.stderr
        lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        text = "\n".join(lines)
        assert "Traceback" not in text, text
        assert "    at " not in text, text
        return text

    def begin(self, word: str) -> Process:
        log = self.directory.parent / f"run{next(_numbers)}.log"
        command = ("make", "--no-print-directory", word)
        return Process(command, log, directory=self.directory, env=self.env)

    def held(self) -> bool:
        return (self.directory / "held").exists()

    def go(self) -> None:
        (self.directory / "go").touch()

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self.database.sql(self.url, statement)

    def schema(self) -> dict[str, list[tuple[Any, ...]]]:
        return schema(self.database, self.kind, self.url)

    def tables(self) -> set[str]:
        return {row[0] for row in self.schema()["columns"]}

    def columns(self) -> set[str]:
        """Those of notes."""
        return {row[2] for row in self.schema()["columns"] if row[0] == "notes"}

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return {name: sorted(self.sql(f"SELECT * FROM {name}"), key=repr) for name in TABLES}  # noqa: S608

    def letters(self) -> list[tuple[Any, ...]]:
        return self.sql("SELECT title, letters FROM notes ORDER BY title")

    def fill(self) -> None:
        for statement in FILLING.split(";\n"):
            self.sql(statement)

    def waits(self, run: Process) -> bool:
        """Whether a second run is held up by the first."""
        if self.kind == "postgresql":
            found = self.sql("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(found[0][0])
        if self.kind == "mysql":
            asked = "SELECT count(*) FROM information_schema.processlist WHERE state = 'User lock'"
            return bool(self.sql(asked)[0][0])
        return any(self.url.endswith(path) for path in open_files(run.pid) if path.endswith(".db"))


def open_files(group: int) -> Iterator[str]:
    """What the processes of a group have open."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(process.name)) == group:
                for file in (process / "fd").iterdir():
                    with suppress(OSError):
                        yield str(file.readlink())


@contextmanager
def ground(stack: str, kind: str, database: Database) -> Iterator[Ground]:
    with baked(variant(stacks()[stack], database=kind)) as project:
        (project.directory / "data").mkdir(exist_ok=True)
        yield Ground(project, kind, database)


def until(what: str, look: Any, timeout: float = 30) -> None:
    end = time.monotonic() + timeout
    while not look():
        assert time.monotonic() < end, f"{what} did not come in {timeout} s"
        time.sleep(0.05)


# A row and more of everything; `now` is one moment.
FILLING = """
INSERT INTO users (id, email, email_normalized, name, password_hash, created_at, updated_at)
  VALUES ('11111111-0000-7000-8000-000000000001', 'Ada@Example.com', 'ada@example.com', 'Ada',
          'hash', now, now);
INSERT INTO sessions (id, user_id, token_hash, created_at, last_seen_at, expires_at)
  SELECT '22222222-0000-7000-8000-000000000001', id, 'a', now, now, now FROM users;
INSERT INTO one_time_tokens
  (id, user_id, purpose, email_normalized, token_hash, created_at, expires_at)
  SELECT '33333333-0000-7000-8000-000000000001', id, 'verify-email', 'x@y.example', 'b', now, now
  FROM users;
INSERT INTO recovery_codes (id, user_id, code_hash, created_at)
  SELECT '44444444-0000-7000-8000-000000000001', id, 'c', now FROM users;
INSERT INTO notes (id, user_id, title, body, created_at, updated_at)
  SELECT '55555555-0000-7000-8000-000000000003', id, 'one', 'text', now, now FROM users;
INSERT INTO notes (id, user_id, title, body, created_at, updated_at)
  SELECT '55555555-0000-7000-8000-000000000005', id, 'three', 'text', now, now FROM users;
INSERT INTO note_tags (note_id, position, tag) SELECT id, 0, title FROM notes
""".replace(" now", " '2026-01-02 03:04:05.000006'")
