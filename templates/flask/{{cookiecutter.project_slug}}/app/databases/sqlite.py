"""What is particular to SQLite."""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import CHAR, URL, Connection, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from app.databases.address import no_parameters


class TextTime(TypeDecorator[datetime]):
    """UTC as text that sorts: `YYYY-MM-DD HH:MM:SS.ffffff`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return value.astimezone(UTC).isoformat(" ", "microseconds")[:26] if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return datetime.fromisoformat(f"{value}+00:00") if value else None


class SQLite:
    dialect = "sqlite"
    scheme = "sqlite"
    default_url = "sqlite:///data/app.db"
    form = "sqlite:///PATH"
    is_server = False
    # Take the write lock at once: a later upgrade could not wait.
    begin = "BEGIN IMMEDIATE"
    undoes_schema = True
    id_type: TypeEngine[Any] = CHAR(36)
    time_type: TypeEngine[Any] = TextTime()
    table_options: Mapping[str, str] = MappingProxyType({})
    # An ORDER BY inside of the aggregate needs SQLite 3.44.
    tags_of_note = (
        "(SELECT json_group_array(t.tag) FROM"
        " (SELECT tag FROM note_tags WHERE note_id = n.id ORDER BY position) t)"
    )

    def check(self, url: str) -> None:
        no_parameters(url)
        path = url.removeprefix("sqlite:///")
        if path in {"", url} or not path.isprintable():
            raise ValueError(url)

    def engine_url(self, url: str) -> URL:
        path = url.removeprefix("sqlite:///")
        if not Path(path).parent.exists():
            Path(path).parent.mkdir(parents=True)
        return URL.create("sqlite", database=path)

    def engine_options(self, url: str, statement_seconds: int | None) -> dict[str, Any]:
        return {"connect_args": {"check_same_thread": False}}

    def on_connect(self, connection: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "busy_timeout = 5000",
            "journal_mode = WAL",
            "foreign_keys = ON",
            "synchronous = NORMAL",
        ):
            connection.execute(f"PRAGMA {pragma}")
        # The built-in one knows only ASCII.
        connection.create_function("lower", 1, _lower, deterministic=True)

    def is_unique_violation(self, error: BaseException | None) -> bool:
        return isinstance(error, sqlite3.IntegrityError) and error.sqlite_errorcode in {
            sqlite3.SQLITE_CONSTRAINT_UNIQUE,
            sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        }

    def is_unavailable(self, error: BaseException | None) -> bool:
        if not isinstance(error, sqlite3.DatabaseError):
            return False
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in {
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_NOTADB,
        }

    def is_full(self, error: BaseException | None) -> bool:
        is_ours = isinstance(error, sqlite3.DatabaseError)
        return is_ours and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL

    def lock(self, connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 600000")
        # A table that is rebuilt is dropped first, and would take with it what refers to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def unlock(self, connection: Connection) -> None:
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if lost:
            raise ValueError(f"rows of {lost[0][0]} refer to rows of {lost[0][2]} that are gone")
        connection.exec_driver_sql("COMMIT")


def _lower(text: str | None) -> str | None:
    return text if text is None else str(text).lower()
