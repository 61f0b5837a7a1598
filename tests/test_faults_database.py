"""A database that is away, slow, or has no connection left costs 503s and nothing that was told."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
import services
from faults import Patient, Tell, both_stacks, nothing_lost, patient
from services import Database, Service
from writer import NOTES, UNAVAILABLE, Writer, until

from scaffold.contract.client import Answer, Client
from scaffold.server import Server

# What a crash of the server itself must not lose, as in production.
SAFE = {"postgresql": ("-c", "fsync=on"), "mysql": ("--innodb-flush-log-at-trx-commit=1",)}
STOP = {"postgresql": signal.SIGQUIT, "mysql": signal.SIGKILL}
# The waits that are promised, and what a busy machine may add.
STATEMENT, POOL, PROBE, MORE = 10, 5, 3, 3


@dataclass(frozen=True)
class Restartable:
    kind: str
    server: Any

    @property
    def service(self) -> Service:
        found: Service = self.server.service
        return found


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def safe(request: pytest.FixtureRequest) -> Iterator[Restartable]:
    kind = request.param
    start: Callable[..., AbstractContextManager[Database]] = getattr(services, kind)
    with start(*SAFE[kind]) as server:
        yield Restartable(kind, server)


@pytest.fixture(scope="module", params=both_stacks("faults-database"))
def app(request: pytest.FixtureRequest, safe: Restartable) -> Iterator[Patient]:
    with patient(request.param, safe.server, safe.kind) as found:
        yield found


def test_a_database_stopped_and_started_again(app: Patient, safe: Restartable, tell: Tell) -> None:
    with app.running(WEB_CONCURRENCY="2") as server:
        person = app.person(server)
        with Writer(server.base, str(person.client.token)) as writer:
            safe.service.stop(STOP[safe.kind])
            writer.goes_on(10, kind=UNAVAILABLE)
            assert server.status("/healthz") == 200
            answer = Client(server.base).get("/readyz")
            assert answer.problem("unavailable")["detail"] == "database is away"
            safe.service.start()
            began = time.monotonic()
            writer.goes_on()
            back = time.monotonic() - began
        assert server.status("/readyz") == 200
        assert server.poll() is None
        counts = nothing_lost(writer, person.client, UNAVAILABLE)
    tell(app.stack, f"{safe.kind} stopped and started", **counts, back=f"{back:.1f} s")


def test_a_slow_database_and_a_pool_without_connections(
    app: Patient, safe: Restartable, tell: Tell
) -> None:
    """The table is locked by another: the one connection waits for it, the others for that one."""
    with app.running(WEB_CONCURRENCY="1", DATABASE_POOL_SIZE="1") as server:
        person = app.person(server)
        person.client.get(NOTES).expect(200)
        with locked(app, safe):
            first = Asked(lambda: person.client.post(NOTES, {"title": "slow"}))
            until(lambda: waits_for_lock(app, safe))
            second = Asked(lambda: person.client.get(NOTES))
            probes = [probe(server, "/healthz", 200) for _ in range(10)]
            ready = [probe(server, "/readyz", 200, 503) for _ in range(2)]
            slow, starved = first.answer(), second.answer()
        for answer in (slow, starved):
            answer.problem("unavailable")
            assert int(answer.header("Retry-After") or 0) > 0
        assert first.spent < STATEMENT + MORE
        assert second.spent < POOL + MORE
        assert max(probes) < 1
        assert max(ready) < PROBE
        # No restart: the same connection serves again.
        until(lambda: person.client.get(NOTES).status == 200, 5)
        person.client.post(NOTES, {"title": "quick"}).expect(201)
        log = server.log.read_text().splitlines()
        assert [line for line in log if '"warning"' in line or '"error"' in line]
    tell(
        app.stack,
        f"{safe.kind}: a table locked, a pool of one",
        requests=2,
        failed=2,
        slow=f"{first.spent:.1f} s",
        starved=f"{second.spent:.1f} s",
        healthz=f"{max(probes) * 1000:.0f} ms",
    )


class Asked:
    """A request that is under way, and how long it took."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self.spent = 0.0
        self._found: list[Answer] = []
        self._thread = threading.Thread(target=self._run, args=(ask,), daemon=True)
        self._thread.start()

    def _run(self, ask: Callable[[], Answer]) -> None:
        began = time.monotonic()
        with suppress(TimeoutError):
            self._found.append(ask())
        self.spent = time.monotonic() - began

    def answer(self) -> Answer:
        self._thread.join(35)
        assert self._found, "never answered"
        return self._found[0]


def probe(server: Server, path: str, *statuses: int) -> float:
    began = time.monotonic()
    assert server.status(path) in statuses
    return time.monotonic() - began


@contextmanager
def locked(app: Patient, safe: Restartable) -> Iterator[None]:
    """Nobody else reads or writes notes."""
    place = urlsplit(app.operator.database_url)
    if safe.kind == "postgresql":
        with psycopg.connect(place.geturl()) as connection:
            connection.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
            yield
        return
    with closing(
        pymysql.connect(
            host=place.hostname,
            port=place.port or 0,
            user=place.username,
            password=place.password or "",
            database=place.path[1:],
        )
    ) as connection:
        connection.cursor().execute("LOCK TABLES notes WRITE")
        yield


def waits_for_lock(app: Patient, safe: Restartable) -> bool:
    if safe.kind == "postgresql":
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = ? AND datname = ?"
        kind = "Lock"
    else:
        query = "SELECT 1 FROM information_schema.processlist WHERE state LIKE ? AND db = ?"
        kind = "Waiting for table%"
    name = urlsplit(app.operator.database_url).path[1:]
    return bool(app.operator.sql(query, kind, name))
