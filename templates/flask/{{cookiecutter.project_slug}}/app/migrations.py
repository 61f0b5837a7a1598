"""Migrations: which there are, and how they are run one at a time."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import StampStep
from alembic.util import CommandError
from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from app import databases, db
from app.auth import model as accounts
from app.notes import model as notes

ROOT = Path(__file__).parent.parent
# Named here so that importing this module knows every table.
MODELS = [accounts.User, accounts.Session, accounts.OneTimeToken, accounts.RecoveryCode]
MODELS += [notes.Note, notes.NoteTag]


# There while a migration is at work whose changes the database could not undo.
UNFINISHED = Table(
    "unfinished_migration",
    MetaData(),
    Column("name", String(255), primary_key=True),
    Column("started_at", String(30), nullable=False),
)
Steps = Callable[..., Iterable[Any]]


class Failed(Exception):
    """Says which migration failed and what to do now."""


def migrate() -> None:
    """Bring the database up to date, as `make migrate` does."""
    command.upgrade(Config(ROOT / "alembic.ini"), "head")


def rollback() -> str | None:
    """Undo the last migration and return its name, or None when there is none."""
    config = Config(ROOT / "alembic.ini", attributes={"names": []})
    try:
        command.downgrade(config, "-1")
    except CommandError as error:
        if "didn't produce" in str(error):
            return None
        raise
    return str(config.attributes["names"][-1])


class Run:
    """Names the migration that is at work, to the people and to the next run."""

    def __init__(self, connection: Connection, *, undoes_schema: bool) -> None:
        self.connection = connection
        self.undoes_schema = undoes_schema
        self.names: list[str] = context.config.attributes.setdefault("names", [])
        self.current = ""

    def watch(self, steps: Steps) -> Steps:
        """Do the same steps, each between a word before and a word after."""

        def watched(*about: Any) -> Iterator[Any]:
            for step in steps(*about):
                if isinstance(step, StampStep):
                    yield step
                    continue
                self.current = Path(step.revision.path).stem
                self._note_beginning()
                yield step
                self._note_end()
                self.names.append(self.current)
                self.current = ""

        return watched

    def check_unfinished(self) -> None:
        """Stop when a run before this one got stuck in the middle of a migration."""
        if self.undoes_schema or not inspect(self.connection).has_table(UNFINISHED.name):
            return
        found = self.connection.execute(select(UNFINISHED)).first()
        if found:
            raise Failed(self._unfinished(*found))
        UNFINISHED.drop(self.connection)

    def _note_beginning(self) -> None:
        if self.undoes_schema:
            return
        self.started_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        UNFINISHED.create(self.connection)
        row = insert(UNFINISHED).values(name=self.current, started_at=self.started_at)
        self.connection.execute(row)

    def _note_end(self) -> None:
        if not self.undoes_schema:
            UNFINISHED.drop(self.connection)

    def failed(self, error: BaseException) -> str:
        reason = (str(getattr(error, "orig", None) or error).splitlines() or [""])[0]
        first = f"Migration {self.current} failed: {reason.rstrip('.')}."
        if self.undoes_schema:
            return f"{first} Nothing of it was kept: mend the file and run make migrate again."
        return f"{first}\n{self._unfinished(self.current, self.started_at)}"

    @staticmethod
    def _unfinished(name: str, started_at: str) -> str:
        return (
            f"Migration {name}, begun at {started_at}, did not finish:"
            " some of its statements may be there."
            " Put the schema back as it was before that migration or restore the backup,"
            f" then DROP TABLE {UNFINISHED.name}, then run make migrate."
        )


def run(url: str) -> None:
    """Do what Alembic was asked for while nobody else does."""
    engine = db.connect(url, statement_seconds=None)
    database = databases.find(url)
    with engine.connect() as connection:
        database.lock(connection)
        # The lock brings its own transaction where the database can roll back a schema.
        context.configure(
            connection=connection,
            target_metadata=db.Model.metadata,
            transactional_ddl=False,
            compare_type=True,
        )
        this = Run(connection, undoes_schema=database.undoes_schema)
        about = context.get_context()
        about._migrations_fn = this.watch(cast("Steps", about._migrations_fn))
        try:
            this.check_unfinished()
            context.run_migrations()
            database.unlock(connection)
        except BaseException as error:
            # Closing it undoes what was not committed and gives the lock back.
            connection.invalidate()
            if this.current and isinstance(error, Exception):
                raise Failed(this.failed(error)) from error
            raise
    engine.dispose()
