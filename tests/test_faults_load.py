"""Restarts, ends and deaths of processes under load, and what they cost those who write."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from faults import Patient, Tell, all_serve, both_stacks, nothing_lost, patient, workers
from fronts import NAME, fronted
from services import Database  # noqa: TC002 (ours)
from writer import CUT, NOTES, REFUSED, UNAVAILABLE, Writer, until

from scaffold.contract.client import Client
from scaffold.server import free_port

ROUNDS, THREADS, DEATHS = 2, 8, 3
GRACE = 5


@pytest.fixture(scope="module", params=both_stacks("faults-load"))
def app(request: pytest.FixtureRequest, database: Callable[[str], Database]) -> Iterator[Patient]:
    with patient(request.param, database("postgresql"), "postgresql") as found:
        yield found


def test_a_rolling_restart_behind_nginx(app: Patient, tell: Tell) -> None:
    ports = [free_port(), free_port()]
    behind = {"PUBLIC_URL": f"https://{NAME}", "TRUSTED_PROXIES": "1", "WEB_CONCURRENCY": "1"}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(app.operator.start(PORT=str(port), **behind)).ready()
            for port in ports
        ]
        front = stack.enter_context(fronted(app.operator.directory / "deploy", *ports))
        person = app.person(servers[0])
        base, token = f"https://127.0.0.1:{front.secure}", str(person.client.token)
        with Writer(base, token, trust=front.trust, threads=THREADS) as writer:
            for turn in range(2 * ROUNDS):
                one = turn % 2
                servers[one].signal(signal.SIGTERM)
                assert servers[one].wait(GRACE + 5) == 0
                writer.goes_on()
                again = app.operator.start(PORT=str(ports[one]), **behind)
                servers[one] = stack.enter_context(again).ready()
                # Only when nginx asks it again can the other be spared.
                until(lambda: NOTES in again.log.read_text())  # noqa: B023 (at once)
        counts = nothing_lost(writer, Client(servers[0].base, token), "bad 502")
    assert counts["failed"] == 0
    slowest = f"{writer.slowest * 1000:.0f} ms"
    restarts = f"{2 * ROUNDS} restarts of one of two instances behind nginx"
    tell(app.stack, restarts, **counts, slowest=slowest)


def test_an_end_under_load(app: Patient, tell: Tell) -> None:
    """Who is connected is answered; who comes too late is refused before anything happens."""
    port = str(free_port())
    with app.operator.start(PORT=port, WEB_CONCURRENCY="2") as server:
        person = app.person(server.ready())
        with Writer(server.base, str(person.client.token), threads=THREADS) as writer:
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            assert server.wait(GRACE + 5) == 0
            spent = time.monotonic() - began
            writer.goes_on(THREADS, kind=REFUSED)
    with app.operator.start(PORT=port) as server:
        server.ready()
        counts = nothing_lost(writer, person.client, REFUSED, UNAVAILABLE)
    assert counts["untold"] == 0
    # What was refused after the end is no cost of it.
    counts["failed"] -= writer.found[REFUSED]
    counts["requests"] -= writer.found[REFUSED]
    tell(app.stack, "SIGTERM under load", **counts, ended_after=f"{spent:.1f} s")


def test_a_worker_that_is_killed(app: Patient, tell: Tell) -> None:
    with app.running(WEB_CONCURRENCY="2") as server:
        person = app.person(server)
        with Writer(server.base, str(person.client.token), threads=THREADS) as writer:
            for _ in range(DEATHS):
                until(lambda: all_serve(server, 2))
                os.kill(workers(server)[0], signal.SIGKILL)
                writer.goes_on()
            until(lambda: all_serve(server, 2))
        assert server.status("/readyz") == 200
        counts = nothing_lost(writer, person.client, CUT, REFUSED)
    # Each connection has one request in flight, and may be given once to a worker just dead.
    assert writer.found[CUT] <= DEATHS * THREADS
    assert writer.found[REFUSED] <= DEATHS * THREADS
    assert counts["untold"] <= counts["failed"]
    tell(app.stack, f"{DEATHS} workers killed", **counts)
