"""The database: connections, sessions and what its errors mean."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import sqlalchemy
from flask import Flask, current_app
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    MetaData,
    Result,
    Select,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Session

from app import databases, traces
from app.config import Config

# A connection unused for longer is asked whether it lives before it is used.
IDLE_SECONDS = 5.0
POOL_TIMEOUT = 5.0
STATEMENT_SECONDS = 10
SAY_SECONDS = 60
log = logging.getLogger(__name__)
_said_full_at = [-math.inf]


class Model(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __table_args__: Any = databases.TABLE_OPTIONS


def init_app(app: Flask) -> None:
    config: Config = app.extensions["config"]
    app.extensions["engine"] = connect(config.database_url, config.database_pool_size)


def connect(
    url: str, pool_size: int = 1, statement_seconds: int | None = STATEMENT_SECONDS
) -> Engine:
    """Make an engine whose connections commit by themselves: a read is one round trip."""
    database = databases.find(url)
    engine = create_engine(
        database.engine_url(url),
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_reset_on_return=None,
        hide_parameters=True,
        **database.engine_options(url, statement_seconds),
    )
    event.listen(engine, "connect", lambda connection, _: database.on_connect(connection))
    if database.is_server:
        event.listen(engine, "checkin", lambda _, record: record.info.update(used=time.monotonic()))
        event.listen(engine, "checkout", _ask_if_alive(engine))
    return engine


def _ask_if_alive(engine: Engine) -> Any:
    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise DisconnectionError from error

    return ask


def engine() -> Engine:
    return cast("Engine", current_app.extensions["engine"])


@contextmanager
def reading() -> Iterator[Session]:
    """A session for statements that need no transaction."""
    with Session(engine(), autoflush=False, expire_on_commit=False) as session:
        yield session


class Read:
    """A query that most requests make: compiled once, asked of the driver, rows as dictionaries.

    The ORM takes four times as long for the same rows: 800 µs a request and not 200.
    """

    def __init__(self, query: Select[*tuple[Any, ...]]) -> None:
        self.query = query
        self.text = ""

    def ask(self, **values: Any) -> list[dict[str, Any]]:
        pool = engine()
        if not self.text:
            self._compile(pool.dialect)
        connection = pool.raw_connection()
        try:
            cursor = connection.cursor()
            with traces.statement(self.text):
                cursor.execute(self.text, self._bind(values))
                rows = cursor.fetchall()
        except Exception as error:
            connection.invalidate(error)
            raise
        finally:
            connection.close()
        found = [dict(zip(self.columns, row, strict=True)) for row in rows]
        for name, read in self.readers:
            for item in found:
                item[name] = read(item[name])
        return found

    def _bind(self, values: dict[str, Any]) -> Any:
        given = self.usual | values
        return [given[name] for name in self.names] if self.names else given

    def _compile(self, dialect: Dialect) -> None:
        found = self.query.compile(dialect=dialect)
        self.names, self.usual = found.positiontup, found.params
        self.columns = self.query.selected_columns.keys()
        readers = [
            (name, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for name, column in self.query.selected_columns.items()
        ]
        self.readers = [(name, read) for name, read in readers if read]
        self.text = str(found)


@contextmanager
def writing() -> Iterator[Session]:
    """A session whose statements all happen, or none."""
    with engine().connect() as connection:
        connection.exec_driver_sql(databases.by_dialect(connection.dialect.name).begin)
        try:
            with Session(connection, autoflush=False, expire_on_commit=False) as session:
                yield session
                session.flush()
                connection.exec_driver_sql("COMMIT")
        except BaseException:
            _undo(connection)
            raise


def _undo(connection: Connection) -> None:
    try:
        if not connection.invalidated:
            connection.exec_driver_sql("ROLLBACK")
    except DBAPIError:
        connection.invalidate()


def has_changed(result: Result[Any]) -> bool:
    """Whether the statement met the one row it was meant for."""
    return isinstance(result, CursorResult) and result.rowcount == 1


def is_unique_violation(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    return any(known.is_unique_violation(error.orig) for known in databases.DATABASES)


def is_unavailable(error: BaseException) -> bool:
    """Whether trying again later may help."""
    if isinstance(error, sqlalchemy.exc.TimeoutError | DisconnectionError):
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        return is_unavailable(error.orig) if error.orig else False
    return any(known.is_unavailable(error) for known in databases.DATABASES)


def is_full(error: BaseException) -> bool:
    original = getattr(error, "orig", error)
    return any(known.is_full(original) for known in databases.DATABASES)


def tell(error: BaseException) -> None:
    """Log why the database cannot do its work; of a full disk once a minute, for it is full."""
    fields = {"reason": reason(error)}
    if not is_full(error):
        log.warning("database is away", extra={"fields": fields})
    elif time.monotonic() - _said_full_at[0] >= SAY_SECONDS:
        _said_full_at[0] = time.monotonic()
        log.error("the disk of the database is full", extra={"fields": fields})


def reason(error: BaseException) -> str:
    """Name what failed without the statement and its values."""
    return type(getattr(error, "orig", None) or error).__name__


def place(url: str) -> str:
    """Say where a database is, without its password."""
    found = make_url(url)
    return f"{found.host}:{found.port}" if found.host else str(found.database)
