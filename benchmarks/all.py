"""Run every benchmark and put what it prints into the README; on a machine left alone."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

README = Path(__file__).with_name("README.md")
# What stands between the marks of each name in the README; together 20 minutes on 2 cores.
COMMANDS = {
    "serve": "benchmarks.serve",
    "memory": "benchmarks.memory",
    "servers": "benchmarks.servers",
    "login": "benchmarks.login --pairs 100",
    "new": "benchmarks.new --pairs 8",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", default=[], help=f"only these: {', '.join(COMMANDS)}")
    add("--minutes", type=float, default=60, help="begin nothing after so long (default: 60)")
    given = parser.parse_args()
    end = time.monotonic() + given.minutes * 60
    names = given.names or list(COMMANDS)
    failed = [name for name in names if not (time.monotonic() < end and run(name, COMMANDS[name]))]
    if failed:
        print(f"As before in the README: {', '.join(failed)}.", file=sys.stderr)
    return len(failed)


def run(name: str, command: str) -> bool:
    """Replace what the README says, unless the benchmark fails."""
    began = time.monotonic()
    print(f"## python -m {command}\n", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], stdout=subprocess.PIPE, text=True, check=False
    )
    seconds = time.monotonic() - began
    print(f"{done.stdout}\n({seconds:.0f} s)\n", flush=True)
    if done.returncode:
        return False
    README.write_text(placed(README.read_text(), name, f"{done.stdout.strip()}\n"))
    return True


def placed(page: str, name: str, text: str) -> str:
    """The page with another text between the marks of a name."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    changed, count = marks.subn(lambda found: f"{found[1]}\n{text}\n{found[2]}", page)
    if count != 1:
        raise SystemExit(f"{README.name} needs <!-- {name} --> and <!-- /{name} --> once.")
    return changed


if __name__ == "__main__":
    sys.exit(main())
