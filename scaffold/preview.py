"""What would be made: the tree of a project, with sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def size(count: int) -> str:
    """Bytes as people read them: `812 B`, `1.4 kB`, `36 kB`."""
    if count < 1000:
        return f"{count} B"
    kilo = count / 1000
    return f"{kilo:.1f} kB" if kilo < 10 else f"{kilo:.0f} kB"


def tree(root: str, sizes: Mapping[str, int], width: int) -> Iterator[str]:
    """Lines of the tree: directories first, each with what is below it."""
    nested: dict[str, Any] = {}
    for name, count in sizes.items():
        *parents, last = name.split("/")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = count
    rows = [(root, "", sum(sizes.values())), *_rows(nested, "")]
    longest = max(len(start) + len(name) for name, start, _ in rows)
    column = min(longest + 2, max(width - 10, 20))
    for name, start, count in rows:
        yield f"{start}{name}".ljust(column) + size(count).rjust(8)


def _rows(level: Mapping[str, Any], start: str) -> Iterator[tuple[str, str, int]]:
    ordered = sorted(level, key=lambda name: (not isinstance(level[name], dict), name))
    for name in ordered:
        below, last = level[name], name == ordered[-1]
        branch, indent = ("└── ", "    ") if last else ("├── ", "│   ")
        if isinstance(below, dict):
            yield f"{name}/", start + branch, _total(below)
            yield from _rows(below, start + indent)
        else:
            yield name, start + branch, below


def _total(level: Mapping[str, Any]) -> int:
    return sum(_total(below) if isinstance(below, dict) else below for below in level.values())
