"""Migrations and models agree."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, stamp
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from app import db
from tests import database


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
