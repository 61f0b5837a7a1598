"""Send many requests of every kind to each app, and see whether its memory stops growing."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.loads import HEALTH, LISTING, NOTE, NOTES, Case, Extent, load
from benchmarks.processes import resident
from benchmarks.subjects import Subject, fresh, prepared
from benchmarks.taken import machine
from scaffold.stacks import stacks

# Tokens, paths and parameters differ each time: nothing may be kept of what is seen once.
MIX = (
    HEALTH,
    LISTING,
    Case("POST", "POST", NOTES, 201, who="writer", body={**NOTE, "title": "Note {number}"}),
    Case("DELETE", "DELETE", "{created}", 204, who="writer"),
    Case("401", "GET", NOTES, 401, who="01234567890123456789012345678901234{number}"),
    Case("404 route", "GET", "/nowhere/{number}", 404),
    Case("404 note", "GET", f"{NOTES}/01900000-0000-7000-8000-0000{{number}}", 404, who="reader"),
    Case("422", "POST", NOTES, 422, who="writer", body={"title": "", "x{number}": 1}),
    Case("422 cursor", "GET", f"{NOTES}?cursor={{number}}", 422, who="reader"),
    Case("search", "GET", f"{NOTES}?q={{number}}&limit=5", 200, who="reader"),
)
# Growth that a page here and there, or a collection more or less, can explain.
NOISE_MB = 2.0
NOISE_SHARE = 0.03


@dataclass(frozen=True)
class Grown:
    """Resident megabytes of all processes after each step, the warm-up's first."""

    name: str
    processes: int
    step: int
    warm: int
    sizes: Sequence[float]

    @property
    def after(self) -> Sequence[float]:
        return self.sizes[self.warm :]

    @property
    def slope(self) -> float:
        """Bytes a request, of the line through what followed the warm-up."""
        at = [number * self.step for number in range(len(self.after))]
        return statistics.linear_regression(at, self.after).slope * 1e6

    @property
    def rise(self) -> float:
        """The least of the last third above that of the first: what no collection gives back."""
        part = max(1, len(self.after) // 3)
        return min(self.after[-part:]) - min(self.after[:part])

    @property
    def is_flat(self) -> bool:
        return self.rise <= max(NOISE_MB * self.processes, NOISE_SHARE * self.after[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--requests", type=int, default=200_000, help="after the warm-up (default: 200,000)")
    add("--warm", type=int, default=80_000, help="before (default: 80,000)")
    add("--step", type=int, default=5000, help="between two looks (default: 5,000)")
    add("--stack", choices=[*stacks(), "all"], default="all")
    add("--processes", type=int, default=1)
    add("--connections", type=int, default=8, help="for each process (default: 8)")
    given = parser.parse_args()
    circumstances = machine()
    chosen = [name for name in stacks() if given.stack in {name, "all"}]
    # Both at once: it is memory that is measured, not time.
    with ThreadPoolExecutor(len(chosen)) as pool:
        found = list(pool.map(lambda name: grown(name, given), chosen))
    print("\n".join(table(found)))
    print(f"\n{circumstances}, {given.requests:,} requests after {given.warm:,}.")


def grown(name: str, given: argparse.Namespace) -> Grown:
    with fresh("sqlite") as url, prepared(stacks()[name], "sqlite", url) as app:
        sizes = measured(app, given)
    return Grown(name, given.processes, given.step, given.warm // given.step, sizes)


def measured(app: Subject, given: argparse.Namespace) -> list[float]:
    sizes = []
    extent = Extent(given.connections * given.processes, 600, most=given.step)
    with app.with_processes(given.processes).running() as running:
        for _ in range((given.warm + given.requests) // given.step + 1):
            sizes.append(sum(resident(running.process.pid)))
            load(running.port, MIX, app.tokens, extent)
    return sizes[1:]


def table(found: Sequence[Grown]) -> list[str]:
    head = [f"{each.name}, MB" for each in found]
    lines = [f"| requests after the warm-up | {' | '.join(head)} |"]
    lines.append("|---" * (len(found) + 1) + "|")
    each = found[0]
    for number in range(0, len(each.after), max(1, len(each.after) // 10)):
        cells = [f"{one.after[number]:.1f}" for one in found]
        lines.append(f"| {number * each.step:,} | {' | '.join(cells)} |")
    slopes = [f"{one.slope:+.1f}" for one in found]
    lines.append(f"| **bytes a request** | {' | '.join(slopes)} |")
    rises = [f"{one.rise:+.1f} MB: {'flat' if one.is_flat else '**grows**'}" for one in found]
    lines.append(f"| **least of the last third against the first** | {' | '.join(rises)} |")
    return lines


if __name__ == "__main__":
    main()
