"""Migrations: which there are, and how they are run one at a time."""

from pathlib import Path

from alembic import command, context
from alembic.config import Config

from app import databases, db
from app.auth import model as accounts
from app.notes import model as notes

ROOT = Path(__file__).parent.parent
# Named here so that importing this module knows every table.
MODELS = [accounts.User, accounts.Session, accounts.OneTimeToken, accounts.RecoveryCode]
MODELS += [notes.Note, notes.NoteTag]


def migrate() -> None:
    """Bring the database up to date, as `make migrate` does."""
    command.upgrade(Config(ROOT / "alembic.ini"), "head")


def run(url: str) -> None:
    """Do what Alembic was asked for while nobody else does."""
    engine = db.connect(url)
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
        try:
            context.run_migrations()
            database.unlock(connection)
        except BaseException:
            # Closing it undoes what was not committed and gives the lock back.
            connection.invalidate()
            raise
    engine.dispose()
