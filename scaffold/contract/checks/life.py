"""Chapter 10: how the process starts, serves and ends."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from scaffold.contract.checks import alive, check, equal, true
from scaffold.contract.checks.errors import head
from scaffold.contract.client import Client, read_all
from scaffold.contract.target import API, Target
from scaffold.server import Server, free_port

WAITING = 20


@contextmanager
def slow_request(app: Target, server: Server) -> Iterator[tuple[socket.socket, bytes]]:
    """A POST whose last byte is still missing, and that byte."""
    person = app.person()
    body = b'{"title": "slow"}'
    client = Client(server.base)
    data = head(app, person.client.token, f"Content-Length: {len(body)}") + body
    with client.connect(15) as connection:
        connection.sendall(data[:-1])
        # Let the server take the connection before the signal does.
        time.sleep(0.5)
        yield connection, data[-1:]


def given_up(server: Server, timeout: float = 30) -> int:
    """The exit status of a start that must not succeed."""
    end = time.monotonic() + timeout
    while server.poll() is None and time.monotonic() < end:
        true(server.status("/healthz") is None, "it started all the same")
        time.sleep(0.05)
    return server.wait(1)


@check(10, "SIGTERM lets requests in flight finish and ends with 0", "twelve-factor IX")
def drain(app: Target) -> None:
    with app.operator.start() as server:
        server.ready()
        with slow_request(app, server) as (connection, last):
            server.signal(signal.SIGTERM)
            time.sleep(0.5)
            true(server.poll() is None, "it ended with a request in flight")
            connection.sendall(last)
            answer = read_all(connection)
        true(answer.startswith(b"HTTP/1.1 201"), f"the request in flight got {answer[:100]!r}")
        equal(server.wait(10), 0, "exit status")


@check(10, "After SIGTERM nobody new is served", "twelve-factor IX")
def drain_refuses(app: Target) -> None:
    with app.operator.start() as server:
        server.ready()
        with slow_request(app, server) as (connection, last):
            server.signal(signal.SIGTERM)
            time.sleep(0.5)
            # A closed listener says it as clearly.
            with suppress(OSError):
                answer = Client(server.base).get("/readyz")
                equal(answer.problem("unavailable")["detail"], "shutting down", answer)
            connection.sendall(last)
        equal(server.wait(10), 0, "exit status")


@check(10, "Whoever has connected before SIGTERM is answered", "twelve-factor IX")
def drain_waiting(app: Target) -> None:
    """A proxy may not send a POST again whose connection was cut."""
    with app.operator.start() as server, ExitStack() as after:
        server.ready()
        client = Client(server.base)
        with server.held(signal.SIGTERM):
            # The system takes them; nobody of the app has seen them yet.
            waiting = [after.enter_context(client.connect(15)) for _ in range(WAITING)]
            for connection in waiting:
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        for number, connection in enumerate(waiting):
            answer = read_all(connection)
            true(answer.startswith(b"HTTP/1.1 "), f"connection {number} of {WAITING} was cut")
        equal(server.wait(10), 0, "exit status")


@check(10, "An idle connection does not delay the end")
def stop_idle(app: Target) -> None:
    with app.operator.start() as server:
        server.ready()
        with Client(server.base).connect() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            true(connection.recv(4096).startswith(b"HTTP/1.1 200"), "keep-alive")
            begin = time.monotonic()
            server.signal(signal.SIGINT)
            equal(server.wait(10), 0, "exit status")
        true(time.monotonic() - begin < 8, "it waited for an idle client")


@check(10, "The grace for requests in flight has an end")
def drain_bounded(app: Target) -> None:
    with app.operator.start(SHUTDOWN_SECONDS="1") as server:
        server.ready()
        with slow_request(app, server):
            begin = time.monotonic()
            server.signal(signal.SIGTERM)
            server.wait(10)
        true(time.monotonic() - begin < 8, "SHUTDOWN_SECONDS was not kept")


@check(10, "A second signal ends it at once")
def second_signal(app: Target) -> None:
    with app.operator.start() as server:
        server.ready()
        with slow_request(app, server):
            server.signal(signal.SIGTERM)
            time.sleep(0.5)
            begin = time.monotonic()
            server.signal(signal.SIGTERM)
            server.wait(10)
            true(time.monotonic() - begin < 4, "the second signal was not heard")


@check(10, "A database that does not answer stops the start with one sentence")
def database_away(app: Target) -> None:
    server = app.operator.start(DATABASE_URL=app.operator.dead_database)
    try:
        equal(given_up(server, 15), 1, "exit status")
    finally:
        server.kill()
    text = server.errors.read_text(encoding="utf-8").strip()
    true(text.startswith("The database does not answer at "), text)
    true(text.endswith("check DATABASE_URL."), text)
    equal(len(text.splitlines()), 1, f"lines: {text}")


@check(10, "A taken port stops the start")
def port_taken(app: Target) -> None:
    with socket.socket() as listener:
        port = free_port()
        listener.bind(("127.0.0.1", port))
        listener.listen()
        server = app.operator.start(PORT=str(port))
        try:
            true(server.wait(20) != 0, "exit status")
        finally:
            server.kill()


@check(10, "Slow headers are cut", "OWASP API4:2023, ASVS 15.2.2")
def slow_headers(app: Target) -> None:
    begin = time.monotonic()
    with app.anonymous.connect(20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        answer = read_all(connection)
    spent = time.monotonic() - begin
    true(spent < 16, f"cut after {spent:.0f} s, not 10")
    true(not answer.startswith(b"HTTP/1.1 2"), answer)
    alive(app)


@check(10, "Bodies that stand still or trickle in are cut", "OWASP API4:2023, ASVS 15.2.2")
def slow_bodies(app: Target) -> None:
    begin = time.monotonic()
    data = head(app, app.person().client.token, "Content-Length: 1000") + b'{"title": "'
    with app.anonymous.connect(40) as still, app.anonymous.connect(40) as trickling:
        for connection in (still, trickling):
            connection.sendall(data)
        # A byte a second, until the other side has enough.
        trickling.settimeout(1)
        while time.monotonic() - begin < 40:
            try:
                if not trickling.recv(65536):
                    break
            except TimeoutError:
                with suppress(OSError):
                    trickling.sendall(b"x")
            except OSError:
                break
        trickled = time.monotonic() - begin
        answer = read_all(still)
    true(trickled < 36, f"the trickling body was cut after {trickled:.0f} s, not 30")
    true(time.monotonic() - begin < 38, "the body that stood still was not cut after 30 s")
    true(not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5")), answer[:200])


@check(10, "Keep-alive serves one request after another", "RFC 9112 9.3")
def keep_alive(app: Target) -> None:
    with app.anonymous.connect(5) as connection:
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while b'{"status":"ok"}' not in received:
                chunk = connection.recv(4096)
                true(chunk, f"closed after {received!r}")
                received += chunk


@check(10, "Pipelined requests are answered in order", "RFC 9112 9.3.2")
def pipeline(app: Target) -> None:
    host = app.host
    one = f"GET {API}/notes HTTP/1.1\r\nHost: {host}\r\n\r\n"
    two = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = app.anonymous.raw((one + two).encode(), 5)
    true(answer.count(b"HTTP/1.1 ") == 2, answer)
    true(answer.index(b"HTTP/1.1 401") < answer.index(b"HTTP/1.1 200"), answer)
