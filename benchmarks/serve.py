"""Measure both apps against their bare frameworks: same machine, same run, taking turns."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.loads import CASES, HEALTH, LISTING, Case
from benchmarks.subjects import Subject, fresh, prepared
from benchmarks.taken import Taken, machine, measure, rounds, spread
from scaffold.stacks import Stack, stacks

# The bare servers' probe asks no database: once is enough.
KINDS = {"sqlite": ("raw", "bare", "driver", "app"), "postgresql": ("driver", "app")}
# How the app is to do beside what it is compared with, by requests a second.
TARGETS = {HEALTH.name: 1.0, LISTING.name: 0.6}
START_TARGET = 1.0
TWO_DIGITS = 2


@dataclass(frozen=True)
class Part:
    """All servers of one stack, on one database, with so many processes."""

    stack: Stack
    database: str
    processes: int
    takes: dict[str, Taken]

    @property
    def where(self) -> str:
        return f"{self.stack.name} | {self.database} | {self.processes}"

    def cases(self) -> list[Case]:
        return [case for case in CASES if case.kinds[0] in self.takes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=15, help="of load on each server (default: 15)")
    add("--seconds", type=float, default=0.25, help="load on a route in a round (default: 0.25)")
    add("--warm", type=float, default=8, help="seconds before, at most (default: 8)")
    add("--connections", type=int, default=8, help="for each process (default: 8)")
    add("--stack", choices=[*stacks(), "all"], default="all")
    add("--database", choices=list(KINDS), nargs="+", default=list(KINDS))
    add("--processes", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    circumstances = f"{machine()}, {rounds(given)}"
    chosen = [stack for stack in stacks().values() if given.stack in {stack.name, "all"}]
    parts = [
        part
        for stack in chosen
        for database in given.database
        for part in measured(stack, database, given)
    ]
    for show in (speed, starts, summary):
        print("\n".join(show(parts)), end="\n\n")
    print(circumstances)


def measured(stack: Stack, database: str, given: argparse.Namespace) -> list[Part]:
    with fresh(database) as url, prepared(stack, database, url) as app:
        return [
            Part(stack, database, processes, takes(app, processes, KINDS[database], given))
            for processes in given.processes
        ]


def takes(
    app: Subject, processes: int, kinds: Sequence[str], given: argparse.Namespace
) -> dict[str, Taken]:
    subjects = [replace(app, kind=kind, processes=processes) for kind in kinds]
    cases = [case for case in CASES if case.kinds[0] in kinds]
    return {taken.kind: taken for taken in measure(subjects, cases, given)}


def speed(parts: Sequence[Part]) -> list[str]:
    lines = ["| stack | database | processes | request | server | req/s | CPU µs | p50 / p99 ms |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for part in parts:
        for case in part.cases():
            for kind in case.kinds:
                taken = part.takes[kind]
                cells = [part.where, case.name, taken.name, spread(taken.rate[case.name])]
                cells += [spread(taken.cpu[case.name]), taken.latency(case)]
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def starts(parts: Sequence[Part]) -> list[str]:
    lines = ["| stack | database | processes | server | start to ready, ms | MB of each process |"]
    lines.append("|---|---|---|---|---|---|")
    for part in parts:
        for taken in part.takes.values():
            times = spread([start * 1000 for start in taken.starts])
            lines.append(f"| {part.where} | {taken.name} | {times} | {taken.megabytes} |")
    return lines


def summary(parts: Sequence[Part]) -> list[str]:
    lines = ["| stack | database | processes | question | by rate | by CPU | target | found |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for part in parts:
        found = [compared(part, case) for case in part.cases()] + [started(part.takes["app"])]
        lines += [f"| {part.where} | {each} |" for each in found]
    return lines


def compared(part: Part, case: Case) -> str:
    """The app against the bare server or the driver's handler, round by round."""
    other = part.takes[case.kinds[-2]]
    app = part.takes["app"]
    rate = ratios(app.rate[case.name], other.rate[case.name])
    cpu = ratios(other.cpu[case.name], app.cpu[case.name])
    cells = [f"{case.name}: our app ÷ {other.name}", spread(rate, 2), spread(cpu, 2)]
    target = TARGETS.get(case.name)
    if target is None:
        return " | ".join([*cells, "", ""])
    met = [round(statistics.median(values), TWO_DIGITS) >= target for values in (rate, cpu)]
    found = {(True, True): "met", (True, False): "met by rate", (False, True): "met by CPU only"}
    return " | ".join([*cells, f"≥ {target}", found.get((met[0], met[1]), "missed")])


def started(app: Taken) -> str:
    found = "met" if statistics.median(app.starts) < START_TARGET else "missed"
    return f"start to ready | {spread(app.starts, 2)} s | | < {START_TARGET:.0f} s | {found}"


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


if __name__ == "__main__":
    main()
