"""Migrations and models agree."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, stamp, upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from app import databases, db, migrations
from tests import database

WRONG = '''"""Wrong."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE half (id INTEGER)")
    op.execute("CREATE TABLE half (id INTEGER)")
'''


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = db.connect(database_url)
    yield engine
    engine.dispose()


def schema(engine: Engine) -> dict[str, Any]:
    """Return columns, keys and indexes of each table, as text that compares."""
    found = inspect(engine)
    return {
        name: [
            sorted(map(repr, part))
            for part in (
                found.get_columns(name),
                found.get_indexes(name),
                found.get_foreign_keys(name),
                found.get_unique_constraints(name),
                found.get_check_constraints(name),
            )
        ]
        for name in found.get_table_names()
    }


def test_models_and_schema_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.Model.metadata) == []


def test_migrating_twice_changes_nothing(engine: Engine, database_url: str) -> None:
    before = schema(engine)
    assert "users" in before
    database.migrate(database_url)
    assert schema(engine) == before
    # Forgetting what was done must not hurt: tables that are there are kept.
    database.migrate(database_url, stamp, "base")
    database.migrate(database_url)
    assert schema(engine) == before


def test_down_and_up_again_keeps_the_schema(engine: Engine, database_url: str) -> None:
    before = schema(engine)
    database.migrate(database_url, downgrade, "base")
    assert schema(engine).keys() == {"alembic_version"}
    database.migrate(database_url)
    assert schema(engine) == before


def test_the_last_migration_can_be_undone(engine: Engine, database_url: str) -> None:
    before = schema(engine)
    with patch.dict(os.environ, DATABASE_URL=database_url):
        assert migrations.rollback() == "0001_accounts_and_notes"
        assert schema(engine).keys() == {"alembic_version"}
        assert migrations.rollback() is None
        migrations.migrate()
    assert schema(engine) == before


def test_a_failed_migration_says_so_and_what_to_do(
    engine: Engine, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = schema(engine)
    shutil.copytree(database.ROOT / "migrations", tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "0002_wrong.py").write_text(WRONG)
    config = Config(database.ROOT / "alembic.ini")
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    for _ in range(2):
        with patch.dict(os.environ, DATABASE_URL=database_url), pytest.raises(SystemExit):
            upgrade(config, "head")
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("Migration 0002_wrong failed: ")
    if databases.DEFAULT.undoes_schema:
        assert last == first
        assert last.endswith(" Nothing of it was kept: mend the file and run make migrate again.")
    else:
        assert last.startswith("Migration 0002_wrong, begun at ")
        assert last.endswith(", then run make migrate.")
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE half")
            connection.exec_driver_sql("DROP TABLE unfinished_migration")
    assert schema(engine) == before
