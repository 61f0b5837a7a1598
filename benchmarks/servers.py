"""Measure our Flask app on the server it ships with, on gunicorn and on granian."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks import faults
from benchmarks.loads import HEALTH, LISTING
from benchmarks.subjects import Subject, fresh, prepared
from benchmarks.taken import Taken, machine, measure, rounds, spread
from scaffold.stacks import stacks
from tests.environments import base_environment

PINS = Path(__file__).parent / "servers.txt"
# Threads, keep-alive and header time as in the app's own worker, where a server has them.
COMMANDS = {
    "gunicorn gthread": (
        "{venv}/bin/gunicorn --worker-class gthread --threads 8 --workers {{processes}} "
        "--keep-alive 15 --no-control-socket --bind 127.0.0.1:{{port}} wsgi:application"
    ),
    "granian": (
        "{venv}/bin/granian --interface wsgi --blocking-threads 8 --workers {{processes}} "
        "--http1-header-read-timeout 10000 --backpressure 3000 --respawn-failed-workers "
        "--host 127.0.0.1 --port {{port}} wsgi:application"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=4, help="of load on each server (default: 4)")
    add("--seconds", type=float, default=0.7, help="load on a route in a round (default: 0.7)")
    add("--warm", type=float, default=8, help="seconds before, at most (default: 8)")
    add("--connections", type=int, default=8, help="for each process (default: 8)")
    add("--processes", type=int, nargs="+", default=[1, 2])
    add("--part", choices=["all", "speed", "faults"], default="all")
    given = parser.parse_args()
    with (
        fresh("sqlite") as url,
        prepared(stacks()["flask"], "sqlite", url) as app,
        others(app) as subjects,
    ):
        if given.part != "faults":
            speed(subjects, given)
        if given.part != "speed":
            print(faults.table([each.with_processes(2) for each in subjects]), flush=True)


@contextmanager
def others(app: Subject) -> Iterator[list[Subject]]:
    """Install the other servers beside the app's own libraries, in a place of their own."""
    with tempfile.TemporaryDirectory() as name:
        locked = app.project.directory / "requirements.txt"
        # The pins carry no hashes, and beside a file that has them they would need them.
        install = ["pip", "install", "--quiet", "--python", f"{name}/bin/python"]
        install += ["--no-verify-hashes", "-r", str(locked), "-r", str(PINS)]
        for words in (["venv", "--quiet", "--python", sys.executable, name], install):
            subprocess.run(["uv", *words], env=base_environment(), check=True)
        metrics = Path(name) / "metrics"
        metrics.mkdir()
        env = {**app.environment, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
        yield [replace(app, kind="waitress (shipped)", command=app.project.serve)] + [
            replace(
                app,
                kind=kind,
                environment=env,
                command=tuple(line.format(venv=name).split()),
            )
            for kind, line in COMMANDS.items()
        ]


def speed(subjects: list[Subject], given: argparse.Namespace) -> None:
    print(f"{machine()}, {rounds(given)}")
    print("\n| processes | server | healthz/s | CPU µs | p50/p99 ms ", end="")
    print("| notes/s | CPU µs | p50/p99 ms | MB of each | ready ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for processes in given.processes:
        chosen = [each.with_processes(processes) for each in subjects]
        for taken in measure(chosen, [HEALTH, LISTING], given):
            print(row(processes, taken), flush=True)
    print(flush=True)


def row(processes: int, taken: Taken) -> str:
    cells = [str(processes), taken.name]
    for case in (HEALTH, LISTING):
        cells += [spread(taken.rate[case.name]), spread(taken.cpu[case.name])]
        cells.append(taken.latency(case))
    cells += [taken.megabytes, spread([start * 1000 for start in taken.starts])]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
