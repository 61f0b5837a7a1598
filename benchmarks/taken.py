"""Rounds of load on servers in turn, and what each of them showed."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.loads import Case, Extent, load
from benchmarks.processes import cpu_seconds, memory
from benchmarks.subjects import Running, Subject

# Node's compiler makes something else of a program at each start: after so many rounds all servers
# are started anew.
ROUNDS_A_START = 5
# Requests on each route before anything counts: a program that is compiled while it runs needs
# thousands of them.
WARM = {"Python": 500, "TypeScript": 5000}


@dataclass
class Taken:
    """What one server showed in all rounds: by case, one value a round."""

    name: str
    kind: str
    starts: list[float] = field(default_factory=list)
    memories: list[list[float]] = field(default_factory=list)
    rate: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    p50: dict[str, list[float]] = field(default_factory=dict)
    p99: dict[str, list[float]] = field(default_factory=dict)

    @property
    def megabytes(self) -> str:
        """Of each of its processes, the one that started the others first."""
        each = zip(*self.memories, strict=False)
        return " + ".join(f"{statistics.median(values):.0f}" for values in each)

    def latency(self, case: Case) -> str:
        p50, p99 = (statistics.median(values[case.name]) for values in (self.p50, self.p99))
        return f"{p50:.1f} / {p99:.1f}"


def measure(
    subjects: Sequence[Subject], cases: Sequence[Case], given: argparse.Namespace
) -> list[Taken]:
    """Start all servers, warm them up, and load them in turn, round after round; and again."""
    takes = [Taken(each.name, each.kind) for each in subjects]
    pairs = list(zip(subjects, takes, strict=True))
    for begun in range(0, given.rounds, ROUNDS_A_START):
        # Twice as many starts as are loaded.
        for subject, taken in pairs:
            with subject.running() as running:
                taken.starts.append(running.start)
        _measure_once(pairs, cases, given, min(ROUNDS_A_START, given.rounds - begun))
    return takes


def _measure_once(
    pairs: Sequence[tuple[Subject, Taken]],
    cases: Sequence[Case],
    given: argparse.Namespace,
    count: int,
) -> None:
    """Load one start of each server, so many rounds."""
    with ExitStack() as stack:
        every = []
        for subject, taken in pairs:
            running = stack.enter_context(subject.running())
            taken.starts.append(running.start)
            every.append((subject, taken, running))
        for number in range(-1, count):
            for case in cases:
                # Who goes first changes, so that nobody always finds warm caches.
                for subject, taken, running in every if number % 2 else reversed(every):
                    if not answers(subject.kind, case):
                        continue
                    connections = given.connections * subject.processes
                    if number < 0:
                        most = WARM[subject.project.stack.language] * subject.processes
                        extent = Extent(connections, given.warm, most)
                        load(running.port, [case], subject.tokens, extent)
                    else:
                        _take(taken, subject, running, case, Extent(connections, given.seconds))
        for _, taken, running in every:
            taken.memories.append(memory(running.process.pid))


def answers(kind: str, case: Case) -> bool:
    """A bare server knows one route; whole apps know all."""
    return kind in case.kinds or kind not in {"raw", "bare", "driver"}


def _take(taken: Taken, subject: Subject, running: Running, case: Case, extent: Extent) -> None:
    before = cpu_seconds(running.process.pid)
    found = load(running.port, [case], subject.tokens, extent)
    used = cpu_seconds(running.process.pid) - before
    for values, value in (
        (taken.rate, found["requests"] / found["seconds"]),
        (taken.cpu, used * 1_000_000 / found["requests"]),
        (taken.p50, found["p50"]),
        (taken.p99, found["p99"]),
    ):
        values.setdefault(case.name, []).append(value)


def machine() -> str:
    """Under what circumstances the figures came to be."""
    place = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"{place}, load before {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"


def rounds(given: argparse.Namespace) -> str:
    return f"{given.rounds} rounds of {given.seconds} s, {given.connections} connections a process."


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and between what the middle half of the rounds was."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"
