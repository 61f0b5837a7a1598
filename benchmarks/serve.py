"""Measure both apps against their bare frameworks: same machine, same run, taking turns."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from benchmarks.processes import cpu_seconds, memory
from benchmarks.subjects import CASES, KINDS, Case, Running, Subject, load, prepared
from scaffold.stacks import Stack, stacks
from tests.services import Sqlite, postgresql


@dataclass
class Taken:
    """What one server showed in all rounds."""

    name: str
    starts: list[float] = field(default_factory=list)
    memories: list[list[float]] = field(default_factory=list)
    # By case: one value a round.
    rate: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    p50: dict[str, list[float]] = field(default_factory=dict)
    p99: dict[str, list[float]] = field(default_factory=dict)
    client: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="starts of each server (default: 3)")
    add("--seconds", type=float, default=1.5, help="load on each route (default: 1.5)")
    add("--warm", type=float, default=1.0, help="the same before, not counted (default: 1.0)")
    add("--connections", type=int, default=8, help="for each process (default: 8)")
    add("--stack", choices=[*stacks(), "all"], default="all")
    add("--database", choices=["sqlite", "postgresql"], nargs="+", default=["sqlite"])
    add("--processes", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    load_now = os.getloadavg()[0]
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores ", end="")
    print(f"(load before: {load_now:.1f}), Python {platform.python_version()}, ", end="")
    print(f"{given.rounds} rounds of {given.seconds} s, {given.connections} connections a process.")
    chosen = [stack for stack in stacks().values() if given.stack in {stack.name, "all"}]
    for database in given.database:
        with fresh(database) as make_url:
            for stack in chosen:
                with prepared(stack, database, make_url()) as app:
                    for processes in given.processes:
                        takes = measure(replace(app, processes=processes), given)
                        report(stack, database, processes, takes)


@contextmanager
def fresh(database: str) -> Iterator[Callable[[], str]]:
    """Something that makes empty databases."""
    if database == "sqlite":
        yield Sqlite().fresh
        return
    with postgresql() as server:
        yield server.fresh


def measure(app: Subject, given: argparse.Namespace) -> dict[str, Taken]:
    subjects = [replace(app, kind=kind) for kind in KINDS]
    takes = {each.kind: Taken(each.name) for each in subjects}
    for number in range(given.rounds):
        # Who goes first changes, so that nobody always finds warm caches.
        for subject in subjects if number % 2 else reversed(subjects):
            with subject.running() as running:
                taken = takes[subject.kind]
                taken.starts.append(running.start)
                for case in CASES:
                    if subject.kind in case.kinds:
                        take(taken, subject, running, case, given)
                taken.memories.append(memory(running.process.pid))
    return takes


def take(
    taken: Taken, subject: Subject, running: Running, case: Case, given: argparse.Namespace
) -> None:
    run = partial(load, running, case, subject.tokens, given.connections * subject.processes)
    run(given.warm)
    before = cpu_seconds(running.process.pid)
    found = run(given.seconds)
    used = cpu_seconds(running.process.pid) - before
    for values, value in (
        (taken.rate, found["requests"] / found["seconds"]),
        (taken.cpu, used * 1_000_000 / found["requests"]),
        (taken.p50, found["p50"]),
        (taken.p99, found["p99"]),
    ):
        values.setdefault(case.name, []).append(value)
    taken.client.append(found["client"])


def report(stack: Stack, database: str, processes: int, takes: dict[str, Taken]) -> None:
    plural = "process" if processes == 1 else "processes"
    print(f"\n### {stack.name}, {database}, {processes} {plural}\n")
    print("| request | server | req/s | p50 ms | p99 ms | CPU µs | of bare | by rate | of raw |")
    print("|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        raw, bare, _ = (takes[kind] for kind in case.kinds)
        for kind in case.kinds:
            print(row(case.name, takes[kind], bare, raw))
    print("\n| server | start to ready, ms | MB a process |")
    print("|---|---|---|")
    for taken in takes.values():
        starts = spread([start * 1000 for start in taken.starts])
        each = [sum(sizes) / len(sizes) for sizes in taken.memories]
        count = max(map(len, taken.memories))
        print(f"| {taken.name} | {starts} | {spread(each)} in {count} |")
    client = statistics.median(value for taken in takes.values() for value in taken.client)
    print(f"\nThe client took {client:.0f} µs of CPU a request.", flush=True)


def row(case: str, taken: Taken, bare: Taken, raw: Taken) -> str:
    """A server's figures; the ratios compare each round with the same round of another."""
    cells = [case, taken.name, spread(taken.rate[case])]
    cells += [f"{statistics.median(values[case]):.1f}" for values in (taken.p50, taken.p99)]
    cells.append(spread(taken.cpu[case]))
    cells.append(ratio(bare.cpu[case], taken.cpu[case]))
    cells.append(ratio(taken.rate[case], bare.rate[case]))
    cells.append(f"{statistics.median(raw.cpu[case]) / statistics.median(taken.cpu[case]):.2f}")
    return f"| {' | '.join(cells)} |"


def ratio(above: Sequence[float], below: Sequence[float]) -> str:
    return spread([a / b for a, b in zip(above, below, strict=True)], digits=2)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and from the least to the most."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


if __name__ == "__main__":
    main()
