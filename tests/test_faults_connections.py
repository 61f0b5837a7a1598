"""Connections that want nothing, or never end, take nothing from the others."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest
from faults import Patient, Tell, both_stacks, patient, resident, sockets, workers
from services import Sqlite
from writer import NOTES, until

from scaffold.contract.client import Client
from scaffold.contract.target import Person, Target, together
from scaffold.server import Server

IDLE, TRICKLING, ORDINARY, CALLERS = 1000, 200, 50, 5
# As most systems start a service: what it needs beyond that, it asks for itself.
FILES = 1024
DEAF, PIPELINED = 12, 200


@pytest.fixture(scope="module", params=both_stacks("faults-connections"))
def one(request: pytest.FixtureRequest) -> Iterator[Patient]:
    with patient(request.param, Sqlite(), "sqlite") as found:
        yield found


@contextmanager
def files(most: int | None) -> Iterator[None]:
    """Run with a limit of open files, or with as many as there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most or hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_idle_and_trickling_connections_slow_nobody(one: Patient, tell: Tell) -> None:
    with ExitStack() as stack:
        with files(FILES):
            server = stack.enter_context(one.running(WEB_CONCURRENCY="1"))
        stack.enter_context(files(None))
        person = one.person(server)
        idle = [stack.enter_context(closing(connect(server))) for _ in range(IDLE)]
        slow = [stack.enter_context(closing(connect(server))) for _ in range(TRICKLING)]
        stack.enter_context(trickling(slow, server, str(person.client.token)))
        until(lambda: sockets(*workers(server)) > IDLE + TRICKLING)
        times = [each for some in together([ordinary(person)] * CALLERS) for each in some]
        # On a busy machine the first of them may have been cut by now.
        assert sum(not is_over(each) for each in (*idle, *slow)) > IDLE
        assert max(times) < 2
        # Those who never said anything are not kept for ever.
        until(lambda: all(map(is_over, idle)), 30, lambda: "idle connections are kept")
    tell(
        one.stack,
        f"{IDLE} idle and {TRICKLING} trickling connections",
        requests=len(times),
        failed=0,
        slowest=f"{max(times) * 1000:.0f} ms",
    )


def ordinary(person: Person) -> Callable[[], list[float]]:
    def ask() -> list[float]:
        return [
            timed(lambda: person.client.post(NOTES, {"title": "x"}).expect(201))
            if number % 2
            else timed(lambda: person.client.get(f"{NOTES}?limit=20").expect(200))
            for number in range(ORDINARY // CALLERS)
        ]

    return ask


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


@contextmanager
def trickling(connections: list[socket.socket], server: Server, token: str) -> Iterator[None]:
    """A byte of header or body a second on each."""
    half, over = len(connections) // 2, threading.Event()
    head = f"POST {NOTES} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    head += f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    for connection in connections[:half]:
        connection.sendall(head.encode() + b"X-Slow: ")
    for connection in connections[half:]:
        connection.sendall(head.encode() + b'Content-Length: 1000\r\n\r\n{"title": "')

    def trickle() -> None:
        while not over.wait(1):
            for connection in connections:
                with suppress(OSError):
                    connection.send(b"x")

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def is_over(connection: socket.socket) -> bool:
    """Whether the other side has closed it, what it said before aside."""
    connection.setblocking(False)  # noqa: FBT003
    try:
        return connection.recv(65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_clients_that_never_read_are_cut(one: Patient, tell: Tell) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(one.running(WEB_CONCURRENCY="1"))
        person = one.person(server)
        fill(Target(server.base, one.operator).client(person.client.token))
        person.client.get(f"{NOTES}?limit=100").expect(200)
        before, at_rest, began = resident(server), sockets_at_rest(server), time.monotonic()
        deaf = [stack.enter_context(closing(deaf_client(server))) for _ in range(DEAF)]
        one_request = f"GET {NOTES}?limit=100 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        one_request += f"Authorization: Bearer {person.client.token}\r\n\r\n"
        for each in deaf:
            each.sendall(one_request.encode() * PIPELINED)
        until(lambda: sockets(*workers(server)) >= at_rest + DEAF)
        times, most = [], before
        while sockets(*workers(server)) > at_rest:
            assert time.monotonic() - began < 75, "those who never read are kept"
            times.append(timed(lambda: person.client.get(f"{NOTES}?limit=1").expect(200)))
            times.append(timed(lambda: person.client.post(NOTES, {"title": "x"}).expect(201)))
            most = max(most, resident(server))
            time.sleep(0.25)
        spent = time.monotonic() - began
    tell(
        one.stack,
        f"{DEAF} clients that never read",
        requests=len(times),
        failed=0,
        slowest=f"{max(times) * 1000:.0f} ms",
        memory=f"+{most - before:.0f} MiB",
        cut_after=f"{spent:.0f} s",
    )
    assert most - before < 150
    assert max(times) < 5


def sockets_at_rest(server: Server) -> int:
    """How many are open when those of the last requests are closed."""
    found = []
    for _ in range(20):
        found.append(sockets(*workers(server)))
        time.sleep(0.02)
    return min(found)


def fill(client: Client) -> None:
    """A page of a megabyte."""
    for number in range(100):
        client.post(NOTES, {"title": str(number), "body": "x" * 10_000}).expect(201)


def deaf_client(server: Server) -> socket.socket:
    """A connection with little room for what arrives."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.settimeout(20)
    found.connect(("127.0.0.1", server.port))
    return found
