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

STARTS = 5
# By then a compiler that works while the program runs has seen all there is.
WARM_ENOUGH = 5000


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

    def forget_first(self) -> None:
        """Of the warm-up nothing counts."""
        for values in (self.rate, self.cpu, self.p50, self.p99):
            for each in values.values():
                del each[0]

    @property
    def megabytes(self) -> float:
        """Of all its processes together."""
        return statistics.median(map(sum, self.memories))

    def latency(self, case: Case) -> str:
        p50, p99 = (statistics.median(values[case.name]) for values in (self.p50, self.p99))
        return f"{p50:.1f} / {p99:.1f}"


def measure(
    subjects: Sequence[Subject], cases: Sequence[Case], given: argparse.Namespace
) -> list[Taken]:
    """Start all servers, warm them up, and load them in turn on each case, round after round."""
    takes = [Taken(each.name, each.kind) for each in subjects]
    for _ in range(STARTS - 1):
        for subject, taken in zip(subjects, takes, strict=True):
            with subject.running() as running:
                taken.starts.append(running.start)
    with ExitStack() as stack:
        every = [
            (subject, taken, stack.enter_context(subject.running()))
            for subject, taken in zip(subjects, takes, strict=True)
        ]
        for number in range(-1, given.rounds):
            for case in cases:
                # Who goes first changes, so that nobody always finds warm caches.
                for subject, taken, running in every if number % 2 else reversed(every):
                    if answers(subject.kind, case):
                        connections = given.connections * subject.processes
                        warming = Extent(connections, given.warm, WARM_ENOUGH)
                        extent = warming if number < 0 else Extent(connections, given.seconds)
                        _take(taken, subject, running, case, extent)
        for _, taken, running in every:
            taken.starts.append(running.start)
            taken.memories.append(memory(running.process.pid))
    for taken in takes:
        taken.forget_first()
    return takes


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
