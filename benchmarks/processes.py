"""What a tree of processes costs: CPU time and memory, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """The process and all it has started, as far as they live."""
    found = [pid]
    for each in found:
        for task in (PROC / str(each) / "task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree so far."""
    ticks = 0
    for each in tree(pid):
        fields = (PROC / str(each) / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> list[float]:
    """MB of each process of the tree; pages that several share are divided among them (PSS)."""
    return [_rollup(each, "Pss") / 1024 for each in tree(pid)]


def resident(pid: int) -> list[float]:
    """MB of each process of the tree that are in memory (RSS)."""
    return [_rollup(each, "Rss") / 1024 for each in tree(pid)]


def _rollup(pid: int, name: str) -> int:
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
