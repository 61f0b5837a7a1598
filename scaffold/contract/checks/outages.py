"""Chapters 4, 6, 7 and 10: what happens while a part we need is away."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO
from urllib.parse import urlsplit

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.mail import FORGOT
from scaffold.contract.checks.resets import asking
from scaffold.contract.checks.timing import same_time
from scaffold.contract.checks.verification import alike
from scaffold.contract.client import Answer, Client
from scaffold.contract.relay import Relay
from scaffold.contract.target import API, Target
from scaffold.server import Server, free_port

ALIVE = "/healthz"


def alive(server: Server) -> Client:
    """A client of a server that runs, ready or not."""
    client = Client(server.base)

    def answers() -> bool:
        try:
            return client.get(ALIVE).status == 200
        except OSError:
            return False

    server.until(answers, 20)
    return client


def unavailable(answer: Answer, away: str) -> None:
    detail = answer.problem("unavailable")["detail"]
    equal(detail, f"{away} is away", answer)
    true(int(answer.header("Retry-After") or 0) > 0, f"{answer}: no Retry-After")


@check(7, "Without its Valkey the app limits alone, answers no 5xx and says so", "ASVS 16.5.2")
def valkey_away(app: Target) -> None:
    place = f"redis://127.0.0.1:{free_port()}/0"
    settings = {"VALKEY_URL": place, "RATE_LIMIT": "4/hour", "WEB_CONCURRENCY": "1"}
    with app.operator.start(**settings) as server:
        client = alive(server)
        begin = time.monotonic()
        statuses = [client.get("/nope").status for _ in range(6)]
        true(time.monotonic() - begin < 3, "it waits for Valkey at each request")
        equal(statuses, [404] * 4 + [429] * 2, "statuses")
        answer = client.get("/readyz")
        unavailable(answer, "valkey")
        equal(answer.json()["checks"], {"database": "ok", "valkey": "failed"}, answer)
        warnings = [line for line in server.log.read_text().splitlines() if '"warning"' in line]
        said = [line for line in warnings if "valkey" in line.lower() and "limit" in line]
        equal(len(said), 1, f"warnings about limits: {said}")


@check(10, "The database may go away and come back without a restart", "ASVS 16.5.2")
def database_returns(app: Target) -> None:
    place = urlsplit(app.operator.database_url)
    if not place.hostname or not place.port:
        # A file cannot be unplugged.
        return
    person = app.person()
    with Relay((place.hostname, place.port)) as relay:
        url = place._replace(netloc=place.netloc.replace(f":{place.port}", f":{relay.port}"))
        with app.operator.start(DATABASE_URL=url.geturl()) as server:
            server.ready()
            client = Client(server.base, person.client.token)
            client.get(f"{API}/notes").expect(200)
            relay.cut()
            begin = time.monotonic()
            unavailable(client.get("/readyz"), "database")
            true(time.monotonic() - begin < 4, "readyz is not bounded")
            answer = client.get(f"{API}/notes")
            answer.problem("unavailable")
            true(int(answer.header("Retry-After") or 0) > 0, f"{answer}: no Retry-After")
            client.get(ALIVE).expect(200)
            relay.mend()
            server.ready(10)
            client.get(f"{API}/notes").expect(200)
            client.post(f"{API}/notes", {"title": "after"}).expect(201)


@contextmanager
def silent() -> Iterator[int]:
    """A port where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def mail_changes_nothing(app: Target, place: str) -> None:
    """Log-in, registering and resets as ever, while nobody takes the mails."""
    secret = secrets.token_hex(8)
    url = place.replace("//", f"//app:{secret}@")
    with app.operator.start(MAIL_URL=url, SHUTDOWN_SECONDS="1", WEB_CONCURRENCY="1") as server:
        away = Target(server.ready().base, app.operator)
        known = away.account()["email"]
        asks = asking(away, FORGOT, known)
        same_time(asks, 202)
        alike([make(0)() for make in asks.values()])
        begin = time.monotonic()
        away.person()
        true(time.monotonic() - begin < 5, "registering waits for the mail server")
        away.anonymous.get("/readyz").expect(200)
        server.signal(signal.SIGTERM)
        equal(server.wait(8), 0, "exit status")
        true(secret not in server.output(10**6), "the password is in the log")
        unsent = [line for line in server.log.read_text().splitlines() if '"error"' in line]
        true(unsent, "nothing in the log about mails left unsent")


@check(4, "A mail server that is away changes neither answers nor times", "ASVS 16.5.2")
def mail_away(app: Target) -> None:
    mail_changes_nothing(app, f"smtp://127.0.0.1:{free_port()}")


@check(4, "Nor does one that takes the connection and says nothing", "ASVS 16.5.2")
def mail_silent(app: Target) -> None:
    with silent() as port:
        mail_changes_nothing(app, f"smtp://127.0.0.1:{port}")


@contextmanager
def unhurried(seconds: float) -> Iterator[tuple[int, list[str]]]:
    """A mail server that thinks before it greets: its port, and what the last one was told."""
    told: list[str] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rw", newline="\r\n") as stream:
                    time.sleep(seconds)
                    talk(stream)

    def talk(stream: TextIO) -> None:
        print("220 slow", file=stream, flush=True)
        is_text = False
        for line in stream:
            told.append(line.strip())
            if is_text and told[-1] != ".":
                continue
            verb = told[-1].upper()
            is_text = verb == "DATA"
            answer = "354 go on" if is_text else "221 bye" if verb == "QUIT" else "250 fine"
            print(answer, file=stream, flush=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1]), told
        listener.shutdown(socket.SHUT_RDWR)


@check(10, "Mails that wait are sent before the process ends", "twelve-factor IX")
def mail_drained(app: Target) -> None:
    with unhurried(2.5) as (port, told):
        settings = {"MAIL_URL": f"smtp://127.0.0.1:{port}", "WEB_CONCURRENCY": "1"}
        with app.operator.start(**settings) as server:
            email = Target(server.ready().base, app.operator).account()["email"]
            server.signal(signal.SIGTERM)
            equal(server.wait(10), 0, "exit status")
        true("." in told, "the mail was not sent")
        true(any(f"<{email}>" in line for line in told), told)
