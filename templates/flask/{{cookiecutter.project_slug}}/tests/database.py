"""A database of the tests' own, and what they change behind the API's back."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from alembic.command import upgrade
from alembic.config import Config
from flask import Flask
from sqlalchemy import Engine, Executable, Table, delete, func, select, text
from sqlalchemy.exc import DBAPIError

from app import databases, db

ROOT = Path(__file__).parent.parent
AWAY = "The tests need a database, and none answers at {}: start it or set DATABASE_URL."
IN_USE = "The tests empty their database, and {} has users: set DATABASE_URL to another one."


@contextmanager
def fresh(directory: Path) -> Iterator[str]:
    """Yield the URL of an empty database that is gone afterwards."""
    given = urlsplit(os.environ.get("DATABASE_URL") or databases.DEFAULT.default_url)
    if not given.netloc:
        yield f"{given.scheme}:///{directory / 'test.db'}"
        return
    engine = db.connect(given.geturl())
    name = f"{given.path[1:]}_test_{secrets.token_hex(4)}"
    try:
        if _create(engine, name):
            yield given._replace(path=f"/{name}").geturl()
            _run(engine, text(f"DROP DATABASE {_quoted(engine, name)}"))
        else:
            migrate(given.geturl())
            _refuse_if_in_use(engine)
            yield given.geturl()
    finally:
        engine.dispose()


def _create(engine: Engine, name: str) -> bool:
    """Make a database beside the given one, if that is allowed."""
    try:
        engine.connect().close()
    except DBAPIError:
        pytest.exit(AWAY.format(engine.url), returncode=1)
    try:
        _run(engine, text(f"CREATE DATABASE {_quoted(engine, name)}"))
    except DBAPIError:
        return False
    return True


def _refuse_if_in_use(engine: Engine) -> None:
    with engine.connect() as connection:
        if connection.scalar(select(func.count()).select_from(table("users"))):
            pytest.exit(IN_USE.format(engine.url), returncode=1)


def _quoted(engine: Engine, name: str) -> str:
    return engine.dialect.identifier_preparer.quote(name)


def _run(engine: Engine, statement: Executable) -> None:
    with engine.connect() as connection:
        connection.execute(statement)


def migrate(url: str, how: Callable[[Config, str], None] = upgrade, to: str = "head") -> None:
    """Run the migrations as `make migrate` does, or as `how` says."""
    with patch.dict(os.environ, DATABASE_URL=url):
        how(Config(ROOT / "alembic.ini"), to)


def away(url: str, directory: Path, port: int) -> str:
    """Return a URL like `url` where no database answers; nobody listens on `port`."""
    parts = urlsplit(url)
    if parts.netloc:
        login = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{login}@127.0.0.1:{port}", query="").geturl()
    blocker = directory / "no-directory"
    blocker.touch()
    return f"{parts.scheme}:///{blocker / 'test.db'}"


def table(name: str) -> Table:
    return db.Model.metadata.tables[name]


def empty(url: str) -> None:
    """Delete all people, and with them all that is theirs."""
    engine = db.connect(url)
    _run(engine, delete(table("users")))
    engine.dispose()


def change(app: Flask, statement: Executable) -> None:
    """Run a statement at once, as an operator could."""
    _run(app.extensions["engine"], statement)


def read(app: Flask, statement: Executable) -> list[tuple[Any, ...]]:
    with app.extensions["engine"].connect() as connection:
        return [tuple(row) for row in connection.execute(statement)]
