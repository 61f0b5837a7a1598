"""The way to the database, encrypted as its address says, on real servers with certificates."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
import services
import trustme
from boots import Booted, baked, settings
from services import Database, Postgresql, private_directory, started, unprivileged

from scaffold.contract.client import Client
from scaffold.contract.target import API
from scaffold.server import free_port
from scaffold.stacks import stacks
from scaffold.variants import variant

NOTES = f"{API}/notes"
SERVERS = ("postgresql", "mysql")


@dataclass(frozen=True)
class Secured:
    """A server with a certificate for 127.0.0.1, and the files of two authorities."""

    kind: str
    server: Database
    # Of a database to ask about the others' connections.
    url: str
    right: Path
    wrong: Path

    def encrypted(self) -> int:
        """How many connections but ours are encrypted, or (MariaDB) ever were."""
        url = urlsplit(self.url)
        if self.kind == "postgresql":
            with psycopg.connect(url.geturl(), sslmode="disable") as connection:
                found = connection.execute("SELECT count(*) FROM pg_stat_ssl WHERE ssl").fetchone()
                return int(found[0]) if found else 0
        options = {"user": url.username, "password": url.password, "ssl_disabled": True}
        with closing(pymysql.connect(host=url.hostname, port=url.port, **options)) as connection:
            cursor = connection.cursor()
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Ssl_finished_accepts'")
            return int(cursor.fetchone()[1])


@contextmanager
def postgresql(certificate: Path, key: Path) -> Iterator[Database]:
    """The system's: the wheel's was built without TLS."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        services.absent("PostgreSQL with TLS is missing: install the system's postgresql")
    programs, user, port = found[-1].parent, unprivileged(), free_port()
    with private_directory(user) as directory:
        command: list[object] = [programs / "initdb", "--auth=trust", "--encoding=utf8"]
        command += ["--no-sync", "--username=postgres", "-D", directory / "data"]
        services.run(command, directory, user)
        command = [programs / "postgres", "-D", directory / "data", "-h", "127.0.0.1"]
        command += ["-p", port, "-k", directory, "-c", "fsync=off", "-c", "ssl=on"]
        command += ["-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={key}"]
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", port]
        ready = [str(part) for part in ready]
        with started(command, directory, user, lambda: services.succeeds(ready)) as service:
            yield Postgresql(port, service)


def mysql(certificate: Path, key: Path) -> AbstractContextManager[Database]:
    return services.mysql(f"--ssl-cert={certificate}", f"--ssl-key={key}")


@contextmanager
def secured(kind: str) -> Iterator[Secured]:
    user = unprivileged()
    ca, other = trustme.CA(), trustme.CA()
    with private_directory(user) as home:
        issued = ca.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(str(home / "key.pem"))
        issued.cert_chain_pems[0].write_to_path(str(home / "cert.pem"))
        for name, authority in (("right", ca), ("wrong", other)):
            authority.cert_pem.write_to_path(str(home / f"{name}.pem"))
        # A key that others can read is refused.
        (home / "key.pem").chmod(0o600)
        if user:
            shutil.chown(home / "key.pem", user)
        start = postgresql if kind == "postgresql" else mysql
        with start(home / "cert.pem", home / "key.pem") as server:
            yield Secured(kind, server, server.fresh(), home / "right.pem", home / "wrong.pem")


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=pytest.mark.xdist_group(f"tls-{kind}")) for kind in SERVERS],
)
def place(request: pytest.FixtureRequest) -> Iterator[Secured]:
    with secured(request.param) as found:
        yield found


@pytest.fixture(scope="module", params=stacks())
def app(request: pytest.FixtureRequest, place: Secured) -> Iterator[Booted]:
    """A project that is migrated over an encrypted connection."""
    which = variant(stacks()[request.param], database=place.kind)
    with baked(which) as project, ExitStack() as stack:
        url = place.server.fresh()
        operator = Booted(project, place.server, settings(url), stack)
        operator.env["DATABASE_URL"] = f"{url}?sslmode=verify-full&sslrootcert={place.right}"  # type: ignore[index]
        operator.migrate()
        operator.env["DATABASE_URL"] = url  # type: ignore[index]
        yield operator


def serves(app: Booted, place: Secured, parameters: str) -> bool:
    """Whether it serves, with connections that are encrypted."""
    before = place.encrypted()
    with app.start(DATABASE_URL=f"{app.database_url}{parameters}") as server:
        client = Client(server.ready().base)
        # Asks the database whose token it is.
        client = Client(server.base, "x" * 43)
        client.get(NOTES).expect(401)
        return place.encrypted() > before


def refuses(app: Booted, url: str) -> None:
    """It says at its start that the database cannot be had there, and nothing secret."""
    server = app.start(DATABASE_URL=url)
    try:
        assert server.wait(20) == 1, server.output()
    finally:
        server.kill()
    said = server.errors.read_text().strip()
    assert said.startswith("The database does not answer at "), said
    assert said.endswith("check DATABASE_URL."), said
    assert len(said.splitlines()) == 1
    assert ":app@" not in said


@pytest.mark.parametrize("parameters", ["", "?sslmode=disable"])
def test_without_a_word_nothing_is_encrypted(app: Booted, place: Secured, parameters: str) -> None:
    assert not serves(app, place, parameters)


def test_required_it_is_encrypted_whoever_answers(app: Booted, place: Secured) -> None:
    assert serves(app, place, "?sslmode=require")


def test_verified_it_is_the_authority_and_the_name(app: Booted, place: Secured) -> None:
    assert serves(app, place, f"?sslmode=verify-full&sslrootcert={place.right}")


def test_another_authority_is_refused(app: Booted, place: Secured) -> None:
    url = f"{app.database_url}?sslmode=verify-full"
    refuses(app, f"{url}&sslrootcert={place.wrong}")
    # The system's own authorities know nothing of ours.
    refuses(app, url)


def test_another_name_is_refused(app: Booted, place: Secured) -> None:
    elsewhere = app.database_url.replace("127.0.0.1", "localhost")
    refuses(app, f"{elsewhere}?sslmode=verify-full&sslrootcert={place.right}")


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("stack", stacks())
def test_a_server_that_cannot_encrypt_is_refused(
    stack: str, kind: str, request: pytest.FixtureRequest
) -> None:
    """Never does it go on in the clear by itself."""
    server: Database = request.getfixturevalue(kind)
    with baked(variant(stacks()[stack], database=kind)) as project, ExitStack() as exits:
        operator = Booted(project, server, settings(server.fresh()), exits)
        refuses(operator, f"{operator.database_url}?sslmode=require")
