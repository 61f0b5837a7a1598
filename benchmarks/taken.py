"""Rounds of load on servers in turn, and what each of them showed."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.loads import Case, Extent, load
from benchmarks.processes import cpu_seconds, memory
from benchmarks.subjects import Running, Subject


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
    def megabytes(self) -> float:
        """Of all its processes together."""
        return statistics.median(map(sum, self.memories))

    def latency(self, case: Case) -> str:
        p50, p99 = (statistics.median(values[case.name]) for values in (self.p50, self.p99))
        return f"{p50:.1f} / {p99:.1f}"


def measure(
    subjects: Sequence[Subject], cases: Sequence[Case], given: argparse.Namespace
) -> list[Taken]:
    """Start each server afresh in every round, and load it on the cases it answers."""
    takes = [Taken(each.name, each.kind) for each in subjects]
    pairs = list(zip(subjects, takes, strict=True))
    for number in range(given.rounds):
        # Who goes first changes, so that nobody always finds warm caches.
        for subject, taken in pairs if number % 2 else reversed(pairs):
            with subject.running() as running:
                taken.starts.append(running.start)
                for case in cases:
                    if answers(subject.kind, case):
                        _take(taken, subject, running, case, given)
                taken.memories.append(memory(running.process.pid))
    return takes


def answers(kind: str, case: Case) -> bool:
    """A bare server knows one route; whole apps know all."""
    return kind in case.kinds or kind not in {"raw", "bare", "driver"}


def _take(
    taken: Taken, subject: Subject, running: Running, case: Case, given: argparse.Namespace
) -> None:
    connections = given.connections * subject.processes
    load(running.port, [case], subject.tokens, Extent(connections, given.warm))
    before = cpu_seconds(running.process.pid)
    found = load(running.port, [case], subject.tokens, Extent(connections, given.seconds))
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
    """The median, and how far the rounds were from it at most."""
    middle = statistics.median(values)
    away = max(abs(value - middle) for value in values)
    return f"{middle:,.{digits}f} ± {away:,.{digits}f}"
