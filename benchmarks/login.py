"""Time refused log-ins of known and of unknown accounts, in turn, on both stacks."""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import statistics
import tempfile
import time
from pathlib import Path

from scaffold.contract.client import Client
from scaffold.contract.target import API, fresh_email, fresh_password
from scaffold.project import Project
from scaffold.render import render
from scaffold.server import Server, free_port
from scaffold.stacks import Stack, stacks
from scaffold.variants import variant

ABUNDANT = "100000/minute"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200, help="log-ins of each (default: 200)")
    pairs = parser.parse_args().pairs
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, {pairs} pairs, alternating.\n")
    print("| stack | known account | unknown account | ratio of the medians |")
    print("|---|---|---|---|")
    for stack in stacks().values():
        print(row(stack, pairs))


def row(stack: Stack, pairs: int) -> str:
    """Measure one stack; times are those of whole requests, each on a connection of its own."""
    with tempfile.TemporaryDirectory() as name:
        project = Project(Path(name) / "my-app")
        render(variant(stack), project.directory)
        made = project.make("setup", env=os.environ)
        if made.returncode:
            raise SystemExit(made.stdout + made.stderr)
        port = free_port()
        with Server(project, environment(port), Path(name) / "server.log") as server:
            client = Client(server.ready().base)
            known, unknown = measure(client, pairs)
    ratio = statistics.median(known) / statistics.median(unknown)
    return f"| {stack.name} | {spread(known)} | {spread(unknown)} | {ratio:.3f} |"


def environment(port: int) -> dict[str, str]:
    settings = {"PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    settings |= {"APP_ENV": "production", "SECRET_KEYS": secrets.token_hex(32)}
    settings |= {"RATE_LIMIT": ABUNDANT, "RATE_LIMIT_AUTH": ABUNDANT, "WEB_CONCURRENCY": "1"}
    settings |= {"MAIL_URL": "file:mail", "LOG_LEVEL": "warning"}
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **settings}


def measure(client: Client, pairs: int) -> tuple[list[float], list[float]]:
    """Seconds of each refused log-in; every account is asked for once, so that none is blocked."""
    emails = [fresh_email() for _ in range(pairs)]
    for email in emails:
        body = {"email": email, "password": fresh_password(), "name": "Ada Lovelace"}
        client.post(f"{API}/auth/register", body).expect(202)
    known: list[float] = []
    unknown: list[float] = []
    for number, email in enumerate(emails):
        turn = [(known, email), (unknown, fresh_email())]
        for times, asked in turn if number % 2 else reversed(turn):
            times.append(timed(client, asked))
    return known, unknown


def timed(client: Client, email: str) -> float:
    start = time.perf_counter()
    answer = client.post(f"{API}/auth/login", {"email": email, "password": "not the password"})
    seconds = time.perf_counter() - start
    answer.problem("invalid-credentials")
    return seconds


def spread(seconds: list[float]) -> str:
    low, middle, high = (value * 1000 for value in statistics.quantiles(seconds, n=4))
    return f"{middle:.1f} ms ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    main()
