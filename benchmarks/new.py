"""Time `scaffold new` against stock `cookiecutter --no-input` on the same template, in pairs."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scaffold.stacks import Stack, stacks

PYTHON = sys.executable
Command = Callable[[Stack, Path], list[str]]


def ours(stack: Stack, place: Path) -> list[str]:
    return [PYTHON, "-m", "scaffold", "new", "--no-git", "--stack", stack.name, "-o", str(place)]


def stock(stack: Stack, place: Path) -> list[str]:
    options = ["--no-input", "-o", str(place), str(stack.directory)]
    return [PYTHON, "-m", "cookiecutter", *options]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=25, help="runs of each (default: 25)")
    pairs = parser.parse_args().pairs
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, {pairs} pairs, alternating.\n")
    print("| stack | files | scaffold new | cookiecutter | ratio | instructions |")
    print("|---|---|---|---|---|---|")
    for stack in stacks().values():
        print(row(stack, pairs))


def row(stack: Stack, pairs: int) -> str:
    """Measure one stack; times are wall time of the whole process, from start to exit."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        files = compare(stack, place)
        times: dict[Command, list[float]] = {ours: [], stock: []}
        for number in range(pairs):
            # Who goes first changes, so that neither always finds warm caches.
            for command in (ours, stock) if number % 2 else (stock, ours):
                times[command].append(timed(command(stack, place / "out"), place))
        counts = [instructions(command(stack, place / "out"), place) for command in times]
    ratios = [a / b for a, b in zip(times[ours], times[stock], strict=True)]
    cells = [stack.name, str(files), spread(times[ours]), spread(times[stock])]
    median, (low, high) = statistics.median(ratios), quartiles(ratios)
    cells.append(f"{median:.2f} ({low:.2f} to {high:.2f})")
    cells.append(f"{counts[0] / counts[1]:.2f}" if all(counts) else "not counted")
    return f"| {' | '.join(cells)} |"


def compare(stack: Stack, place: Path) -> int:
    """Check that both write the same bytes, and count the files; this also warms the caches."""
    trees = []
    for command in (ours, stock):
        root = place / "out"
        subprocess.run(command(stack, root), env=environment(place), check=True, stdout=NOWHERE)
        files = {path.relative_to(root): path for path in root.rglob("*") if path.is_file()}
        trees.append({name: (p.stat().st_mode, p.read_bytes()) for name, p in files.items()})
        shutil.rmtree(root)
    if trees[0] != trees[1]:
        raise SystemExit(f"{stack.name}: the two do not make the same project")
    return len(trees[0])


NOWHERE = subprocess.DEVNULL


def timed(command: list[str], place: Path) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment(place), check=True, stdout=NOWHERE)
    seconds = time.perf_counter() - start
    shutil.rmtree(place / "out")
    return seconds


def environment(place: Path) -> dict[str, str]:
    """Keep the settings of whoever runs this out, and the replay file away from home."""
    return os.environ | {"HOME": str(place), "USERPROFILE": str(place)}


def instructions(command: list[str], place: Path) -> int:
    """Count instructions, child processes included; 0 without valgrind."""
    if not shutil.which("valgrind"):
        return 0
    counter = ["valgrind", "--tool=callgrind", "--trace-children=yes"]
    counter.append(f"--callgrind-out-file={place}/callgrind.%p")
    subprocess.run([*counter, *command], env=environment(place), check=True, capture_output=True)
    shutil.rmtree(place / "out")
    total = 0
    for found in place.glob("callgrind.*"):
        match = re.search(r"^(?:totals|summary): (\d+)", found.read_text(), re.MULTILINE)
        total += int(match[1]) if match else 0
        found.unlink()
    return total


def spread(seconds: list[float]) -> str:
    low, high = quartiles(seconds)
    return f"{statistics.median(seconds) * 1000:.0f} ms ({low * 1000:.0f} to {high * 1000:.0f})"


def quartiles(values: list[float]) -> tuple[float, float]:
    first, _, third = statistics.quantiles(values, n=4)
    return first, third


if __name__ == "__main__":
    main()
