"""What the tests share: an app on an empty database, and people who use it."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from flask import Flask

from app import create_app
from app.config import load
from tests import database, mailbox
from tests.person import Person, enroll, promote

SETTINGS = {"APP_ENV": "test", "LOG_LEVEL": "warning", "RATE_LIMIT_AUTH": "1000/second"}


class Start(Protocol):
    """Makes an app with settings of the test's own."""

    def __call__(self, **settings: str) -> Flask: ...


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database.fresh(tmp_path_factory.mktemp("database")) as url:
        database.migrate(url)
        yield url


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    apps: list[Flask] = []
    usual = {**SETTINGS, "DATABASE_URL": database_url, "MAIL_URL": f"file:{tmp_path / 'mails'}"}

    def make(**settings: str) -> Flask:
        apps.append(create_app(load({**usual, **settings})))
        return apps[-1]

    yield make
    for app in apps:
        mailbox.finish(app)
        app.extensions["engine"].dispose()
    database.empty(database_url)


@pytest.fixture
def app(start: Start) -> Flask:
    return start()


@pytest.fixture
def anyone(app: Flask) -> Person:
    return Person(app)


@pytest.fixture
def ada(app: Flask) -> Person:
    return enroll(app, "Ada")


@pytest.fixture
def bob(app: Flask) -> Person:
    return enroll(app, "Bob")


@pytest.fixture
def admin(app: Flask) -> Person:
    return promote(enroll(app, "Grace"))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def away_url(database_url: str, tmp_path: Path, free_port: int) -> str:
    return database.away(database_url, tmp_path, free_port)
