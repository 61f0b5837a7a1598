"""Time `scaffold new` against stock `cookiecutter --no-input` on the same template, in pairs."""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import cache
from itertools import count
from pathlib import Path

from scaffold.stacks import Stack, stacks

PYTHON = sys.executable
# What a row calls a command, and the command.
Named = tuple[str, list[str]]


def ours(stack: Stack, place: Path) -> list[str]:
    return [PYTHON, "-m", "scaffold", "new", "--no-git", "--stack", stack.name, "-o", str(place)]


def stock(stack: Stack, place: Path) -> list[str]:
    options = ["--no-input", "-o", str(place), str(stack.directory)]
    return [PYTHON, "-m", "cookiecutter", *options]


def committed(stack: Stack, place: Path) -> list[str]:
    return [word for word in ours(stack, place) if word != "--no-git"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=25, help="runs of each (default: 25)")
    pairs = parser.parse_args().pairs
    print("| process | CPU | beside | CPU | ratio | instructions |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for stack in stacks().values():
            files = compare(stack, place)
            stocks = "cookiecutter", stock(stack, place / "out")
            made = f"`scaffold new`, {stack.name}, {files} files"
            print(row((made, ours(stack, place / "out")), stocks, place, pairs))
            commit = committed(stack, place / "out")
            print(row(("the same, with its commit", commit), stocks, place, pairs))
        for words in (["--help"], ["new", "--help"], ["completion", "bash"]):
            command = [PYTHON, "-m", "scaffold", *words]
            told = f"`scaffold {' '.join(words)}`"
            nothing = "`python -c pass`", [PYTHON, "-c", "pass"]
            print(row((told, command), nothing, place, pairs))
    print(f"\n{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, {pairs} pairs, alternating.")


def row(mine: Named, theirs: Named, place: Path, pairs: int) -> str:
    """Measure two commands in pairs; times are CPU of all their processes, start to exit."""
    (name, command), (beside, other) = mine, theirs
    times: list[list[float]] = [[], []]
    for each in (command, other):
        timed(each, place)
    for number in range(pairs):
        # Who goes first changes, so that neither always finds warm caches.
        for which in (0, 1) if number % 2 else (1, 0):
            times[which].append(timed((command, other)[which], place))
    counts = [instructions(tuple(each), place) for each in (command, other)]
    ratios = [a / b for a, b in zip(*times, strict=True)]
    median, (low, high) = statistics.median(ratios), quartiles(ratios)
    first, second = (f"{count / 1e6:.0f} M" for count in counts)
    counted = f"{first} to {second}: {counts[0] / max(counts[1], 1):.2f}"
    cells = [name, spread(times[0]), beside, spread(times[1])]
    cells += [f"{median:.2f} ({low:.2f} to {high:.2f})", counted if all(counts) else "not counted"]
    return f"| {' | '.join(cells)} |"


def compare(stack: Stack, place: Path) -> int:
    """Check that both write the same bytes, and count the files; this also warms the caches."""
    trees = []
    for command in (ours, stock):
        root = place / "out"
        subprocess.run(command(stack, root), env=environment(place), check=True, stdout=NOWHERE)
        files = {path.relative_to(root): path for path in root.rglob("*") if path.is_file()}
        trees.append({name: (p.stat().st_mode, p.read_bytes()) for name, p in files.items()})
        put_away(place)
    if trees[0] != trees[1]:
        raise SystemExit(f"{stack.name}: the two do not make the same project")
    return len(trees[0])


NOWHERE = subprocess.DEVNULL
NUMBERS = count()


def timed(command: list[str], place: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment(place), check=True, stdout=NOWHERE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    put_away(place)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def put_away(place: Path) -> None:
    """Keep what was made until all is done.

    File systems are slow to hand out again what was deleted in the last minutes (ext4: up to
    five), and that would be counted: so nothing is deleted meanwhile.
    """
    if (place / "out").exists():
        (place / "out").rename(place / f"out-{next(NUMBERS)}")


def environment(place: Path) -> dict[str, str]:
    """Keep the settings of whoever runs this out, and the replay file away from home."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    git = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in FIELDS}
    home = {"HOME": str(place), "USERPROFILE": str(place)}
    # Both find their own modules compiled, as they are once installed and used.
    return kept | git | home | {"PYTHONPYCACHEPREFIX": str(place / "compiled")}


FIELDS = ("NAME", "EMAIL")


@cache
def instructions(command: tuple[str, ...], place: Path) -> int:
    """Count instructions, child processes included; 0 without valgrind."""
    if not shutil.which("valgrind"):
        return 0
    counter = ["valgrind", "--tool=callgrind", "--trace-children=yes"]
    counter.append(f"--callgrind-out-file={place}/callgrind.%p")
    subprocess.run([*counter, *command], env=environment(place), check=True, capture_output=True)
    put_away(place)
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
