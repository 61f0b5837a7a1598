"""Migrations at work: up and down with data in place, two at once, failed and killed half-way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from conftest import DATABASES
from migrating import HOLD, TABLES, Ground, ground, until
from services import Database  # noqa: TC002 (ours)

from scaffold.stacks import stacks

ADD = "ALTER TABLE notes ADD COLUMN letters INTEGER NOT NULL DEFAULT 0"
# Twice is not the same as once.
COUNT = "UPDATE notes SET letters = letters + length(title)"
DROP = "ALTER TABLE notes DROP COLUMN letters"
MOOD = "ALTER TABLE notes ADD COLUMN mood INTEGER NOT NULL DEFAULT 1"
WRONG = "UPDATE notes SET nowhere = 1"
COUNTED = [("one", 3), ("three", 5)]
# The app's own patience with a locked SQLite file is 5 s.
PATIENCE = 6
KEPT_NOTHING = (
    r"Migration {} failed: .+\. Nothing of it was kept: mend the file and run make migrate again\."
)
UNFINISHED = (
    "Migration {}, begun at {}, did not finish: some of its statements may be there. "
    "Put the schema back as it was before that migration or restore the backup, "
    "then DROP TABLE unfinished_migration, then run make migrate."
)
# How SQLite changes a column: another table takes the place of the first.
REBUILD = """
CREATE TABLE notes_new (
  id CHAR(36) NOT NULL, user_id CHAR(36) NOT NULL, title VARCHAR(300) NOT NULL,
  body TEXT NOT NULL, version INTEGER DEFAULT 1 NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, CONSTRAINT pk_notes PRIMARY KEY (id),
  CONSTRAINT fk_notes_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE);
INSERT INTO notes_new SELECT id, user_id, title, body, version, created_at, updated_at FROM notes;
DROP TABLE notes;
ALTER TABLE notes_new RENAME TO notes;
CREATE INDEX ix_notes_user_id_id ON notes (user_id, id)
"""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((stack, kind), marks=pytest.mark.xdist_group(f"migrations-{kind}"))
        for kind in DATABASES
        for stack in stacks()
    ],
    ids="-".join,
)
def place(request: pytest.FixtureRequest, database: Callable[[str], Database]) -> Iterator[Ground]:
    stack, kind = request.param
    with ground(stack, kind, database(kind)) as found:
        yield found


@pytest.fixture
def filled(place: Ground) -> Ground:
    """The first migration is done and has data."""
    place.renew()
    place.done("migrate")
    place.fill()
    return place


def test_down_and_up_again_with_data_in_place(filled: Ground) -> None:
    schema, rows = filled.schema(), filled.rows()
    assert all(rows[name] for name in TABLES)
    filled.write("0002_letters", [ADD, COUNT], [DROP])
    filled.done("migrate")
    assert filled.letters() == COUNTED
    newer = filled.schema()
    assert newer != schema
    assert "0002_letters" in filled.done("rollback")
    assert (filled.schema(), filled.rows()) == (schema, rows)
    filled.done("migrate")
    assert (filled.schema(), filled.letters()) == (newer, COUNTED)
    for stem in ("0002_letters", "0001_accounts_and_notes"):
        assert stem in filled.done("rollback")
    assert filled.tables() == set()
    assert filled.refused("rollback") == "There is nothing to undo."
    filled.done("migrate")
    assert filled.schema() == newer


def test_two_runs_at_once_are_one(filled: Ground) -> None:
    filled.write("0002_letters", [ADD, HOLD, COUNT])
    with filled.begin("migrate") as first:
        first.until(filled.held, 30)
        with filled.begin("migrate") as second:
            second.until(lambda: filled.waits(second), 30)
            if filled.kind == "sqlite":
                time.sleep(PATIENCE)
            assert (first.poll(), second.poll()) == (None, None), second.output()
            filled.go()
            statuses = [run.wait(30) for run in (first, second)]
            assert statuses == [0, 0], first.output() + second.output()
    assert filled.letters() == COUNTED


def test_a_migration_that_fails_half_way(filled: Ground) -> None:
    filled.write("0002_letters", [ADD, COUNT])
    filled.write("0003_mood", [MOOD, WRONG])
    said = filled.refused("migrate")
    if filled.kind == "mysql":
        assert re.match(r"Migration 0003_mood failed: .+\.\n", said), said
        assert said.partition("\n")[2] == mended_by_hand(filled, "0003_mood", "mood")
    else:
        assert re.fullmatch(KEPT_NOTHING.format("0003_mood"), said), said
        assert "mood" not in filled.columns()
    assert "nowhere" in said
    filled.write("0003_mood", [MOOD])
    filled.done("migrate")
    assert filled.columns() >= {"letters", "mood"}
    assert filled.letters() == COUNTED
    assert filled.tables() == set(TABLES)


def test_a_run_that_is_killed_half_way(filled: Ground) -> None:
    filled.write("0002_letters", [ADD, HOLD, COUNT])
    with filled.begin("migrate") as run:
        run.until(filled.held, 30)
        run.kill()
    if filled.kind == "mysql":
        mended_by_hand(filled, "0002_letters", "letters")
    filled.write("0002_letters", [ADD, COUNT])
    filled.done("migrate")
    assert filled.letters() == COUNTED
    assert filled.tables() == set(TABLES)


def mended_by_hand(place: Ground, stem: str, column: str) -> str:
    """Without a rollback of its own, the next runs touch nothing and say what to do: do that."""
    ((name, started),) = place.sql("SELECT name, started_at FROM unfinished_migration")
    assert name == stem
    before, rows = place.schema(), place.rows()
    assert column in place.columns()
    for word in ("migrate", "rollback"):
        said = place.refused(word)
        assert said == UNFINISHED.format(stem, started)
        assert (place.schema(), place.rows()) == (before, rows)
    place.sql(f"ALTER TABLE notes DROP COLUMN {column}")
    place.sql("DROP TABLE unfinished_migration")
    return said


@pytest.mark.parametrize(
    "place", [(stack, "sqlite") for stack in stacks()], indirect=True, ids="-".join
)
class TestSqlite:
    """What is particular to it: a table is changed by another that takes its place."""

    def test_a_table_rebuilt_keeps_what_refers_to_it(self, filled: Ground) -> None:
        rows = filled.rows()
        filled.write("0002_rebuilt", REBUILD.split(";\n"))
        filled.done("migrate")
        assert filled.rows() == rows
        assert filled.sql("PRAGMA foreign_key_check") == []

    def test_no_migration_leaves_rows_that_refer_to_nothing(self, filled: Ground) -> None:
        filled.write("0002_orphans", ["DELETE FROM notes"])
        filled.make("migrate")
        assert filled.sql("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_runs_of_both_stacks_wait_for_each_other(
    kind: str, database: Callable[[str], Database]
) -> None:
    """A project may change stack, or run both side by side, on one database."""
    server = database(kind)
    with ExitStack() as stack:
        flask, express = (
            stack.enter_context(ground(name, kind, server)) for name in ("flask", "express")
        )
        flask.renew()
        express.renew(flask.url)
        flask.write("0002_letters", [ADD, HOLD, COUNT])
        first = stack.enter_context(flask.begin("migrate"))
        first.until(flask.held, 30)
        second = stack.enter_context(express.begin("migrate"))
        until("a run that waits", lambda: flask.waits(second) or second.poll() is not None)
        assert second.poll() is None, second.output()
        flask.go()
        assert [run.wait(30) for run in (first, second)] == [0, 0], second.output()
        assert flask.tables() == set(TABLES)
