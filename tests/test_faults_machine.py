"""What the machine does to a running app: no Valkey, a full or busy file, another time."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path

import pytest
from faults import Patient, Tell, both_stacks, nothing_lost, patient
from services import Sqlite, absent, stoppable_valkey
from writer import NOTES, UNAVAILABLE, Writer, until

from scaffold.contract.client import Client
from scaffold.contract.target import API, Target, together
from scaffold.server import Server, free_port

LOGOUT = f"{API}/auth/logout"
QUOTA = 10
ROOM = "8m"
# How long a lock is waited for, and what a busy machine may add.
TURN, BUSY, MORE = 5, 5, 3
HOURS = 5
STALE = "UPDATE sessions SET last_seen_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', '-1 hour')"


@pytest.fixture(scope="module", params=both_stacks("faults-machine"))
def app(request: pytest.FixtureRequest) -> Iterator[Patient]:
    with patient(request.param, Sqlite(), "sqlite") as found:
        yield found


def test_a_valkey_stopped_and_started_again(app: Patient, tell: Tell) -> None:
    limits = {"RATE_LIMIT": f"{QUOTA}/hour", "TRUSTED_PROXIES": "1", "WEB_CONCURRENCY": "2"}
    with stoppable_valkey() as (url, service), app.running(VALKEY_URL=url, **limits) as server:
        assert answers(server, "192.0.2.1") == {404: QUOTA, 429: 40 - QUOTA}
        service.stop()
        away = answers(server, "192.0.2.2")
        # Each of the two counts for itself.
        assert set(away) == {404, 429}
        assert QUOTA <= away[404] <= 2 * QUOTA
        assert server.status("/readyz") == 503
        service.start()
        until(lambda: server.status("/readyz") == 200)
        # Each process finds out for itself, so a good answer of one is not enough.
        tries = iter(range(3, 100))
        exactly = {404: QUOTA, 429: 40 - QUOTA}
        began = time.monotonic()
        until(lambda: answers(server, f"192.0.2.{next(tries)}") == exactly, 15)
        back = time.monotonic() - began
        log = server.log.read_text().splitlines()
        said = [line for line in log if "valkey is away" in line.lower() and "limit" in line]
        assert 1 <= len(said) <= 2, said
    tell(
        app.stack,
        "Valkey stopped and started",
        requests=away.total(),
        failed=0,
        allowed=f"{away[404]} of {QUOTA} to {2 * QUOTA}",
        back=f"{back:.1f} s",
    )


def answers(server: Server, address: str) -> Counter[int]:
    client = Client(server.base, headers={"X-Forwarded-For": address})
    return Counter(together([lambda: client.get("/nope").status] * 40))


def test_a_full_disk(app: Patient, tell: Tell) -> None:
    with small_disk(app) as (server, disk):
        person = Target(server.base, app.operator).person()
        with Writer(server.base, str(person.client.token)) as writer:
            with closing(sqlite3.connect(disk / "app.db", timeout=10)) as database, database:
                # What a read would like to write is no reason to refuse it.
                database.execute(STALE)
            used = fill(disk / "filler")
            writer.goes_on(20, kind=UNAVAILABLE)
            for _ in range(10):
                person.client.get(f"{NOTES}?limit=1").expect(200)
            assert [server.status(path) for path in ("/healthz", "/readyz")] == [200, 200]
            log = [line for line in server.log.read_text().splitlines() if '"error"' in line]
            assert any("disk" in line.lower() for line in log), log[-3:]
            (disk / "filler").unlink()
            began = time.monotonic()
            writer.goes_on()
            back = time.monotonic() - began
        assert used > 0
        counts = nothing_lost(writer, person.client, UNAVAILABLE)
    tell(app.stack, "disk full under SQLite", **counts, back=f"{back:.1f} s")


@contextmanager
def small_disk(app: Patient) -> Iterator[tuple[Server, Path]]:
    """A server whose data directory is a file system of its own, which nobody else sees."""
    outside = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*outside, "true"], check=False, capture_output=True).returncode:
        absent("a file system of one's own is not allowed here")
    script = f"mkdir -p data && mount -t tmpfs -o size={ROOM} tmpfs data && make migrate >&2"
    port = str(free_port())
    env = {**app.operator.env, "PORT": port, "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    project = app.operator.project
    command = [*outside, "sh", "-c", f'{script} && exec "$@"', "sh", *project.serve]
    with Server(project, env, project.directory.parent / "full.log", command) as server:
        server.ready(60)
        yield server, Path(f"/proc/{server.pid}/root/{project.directory}/data")


def test_a_file_that_another_writes(app: Patient, tell: Tell) -> None:
    with app.running(WEB_CONCURRENCY="1") as server:
        person = app.person(server)
        file = app.operator.directory / "data" / "app.db"
        with Writer(server.base, str(person.client.token)) as writer:
            with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as other:
                other.execute("BEGIN IMMEDIATE")
                probes = []
                until(lambda: probes.append(alive(server)) or writer.found[UNAVAILABLE] >= 2)
            writer.goes_on()
        assert max(probes) < 1
        # At most one wait for its turn in the process, and one for the file.
        assert writer.slowest < TURN + BUSY + MORE
        counts = nothing_lost(writer, person.client, UNAVAILABLE)
    healthz = f"{max(probes) * 1000:.0f} ms"
    tell(app.stack, "SQLite's file locked by another", **counts, healthz=healthz)


def alive(server: Server) -> float:
    began = time.monotonic()
    assert server.status("/healthz") == 200
    return time.monotonic() - began


def fill(path: Path) -> int:
    """Write until nothing more can be; returns how much that was."""
    size = 0
    with path.open("wb", buffering=0) as file:
        for step in (65536, 4096, 1):
            while written := some(file, step):
                size += written
    return size


def some(file: FileIO, size: int) -> int:
    try:
        return file.write(b"x" * size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return 0


def test_a_clock_that_jumps(app: Patient, tell: Tell) -> None:
    with moved_clock(app) as (server, move):
        other = Client(server.base, headers={"X-Forwarded-For": "192.0.2.7"})
        person = Target(server.base, app.operator).person()
        with Writer(server.base, str(person.client.token)) as writer:
            for hours in (HOURS, -HOURS, 0):
                while other.post(LOGOUT).status != 429:
                    pass
                move(hours)
                writer.goes_on()
                made = person.client.post(NOTES, {"title": "when"}).expect(201).json()["created_at"]
                off = datetime.fromisoformat(made) - datetime.now(UTC)
                assert abs(off - timedelta(hours=hours)) < timedelta(minutes=1)
                assert server.status("/readyz") == 200
                until(lambda: other.post(LOGOUT).status == 401, 10)
                person.client.get(NOTES).expect(200)
        counts = nothing_lost(writer, person.client)
    tell(app.stack, f"clock moved by {HOURS} h and back", **counts)


@contextmanager
def moved_clock(app: Patient) -> Iterator[tuple[Server, Callable[[int], object]]]:
    (library, *_) = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None]
    if not library:
        absent("libfaketime is missing: install the system's libfaketime")
    file = app.operator.directory.parent / "time"
    file.write_text("+0")
    env = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "TRUSTED_PROXIES": "1",
        # One more every two seconds.
        "RATE_LIMIT_AUTH": "30/minute",
        "WEB_CONCURRENCY": "1",
    }
    with app.running(**env) as server:
        yield server, lambda hours: file.write_text(f"{hours * 3600:+d}")
