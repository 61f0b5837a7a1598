"""The ASVS table: what the standard wants of the apps, and what proves it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).with_name("asvs.tsv")
README = Path(__file__).parents[2] / "README.md"
HEADING = "## ASVS"
LEVELS = ("1", "2")
# How a requirement stands, in the order of the counts.
KINDS = (
    "proven by checks",
    "proven by other tests",
    "a document or a setting",
    "in part",
    "yours to do",
    "nothing of the kind",
)
HOME = "https://owasp.org/www-project-application-security-verification-standard/"
INTRO = f"""\
The [OWASP ASVS]({HOME}) 5.0.0 is what security people ask for.
This is how a fresh app of either stack answers its levels 1 and 2.
Names like `csrf_refused` are checks.
`scaffold verify` tries them on your grown app, and names those it cannot try over HTTP.
Titles in quotes are tests of the generated repository; `tests/test_asvs.py` and its like are ours.
*In part* says what is missing, and *yours to do* why no starter can do it.
`scaffold/contract/asvs.tsv` has every number once.
"""


@dataclass(frozen=True)
class Row:
    """A requirement: `verdict` is proven, in part, yours or absent."""

    number: str
    level: str
    verdict: str
    wants: str
    proof: tuple[str, ...]
    note: str

    @property
    def order(self) -> list[int]:
        return [int(part) for part in self.number.split(".")]

    @property
    def checks(self) -> list[str]:
        return [name for name in self.proof if re.fullmatch(r"[a-z_0-9]+", name)]

    @property
    def titles(self) -> list[str]:
        """Tests of the generated repositories, the same title in both."""
        return [name.strip('"') for name in self.proof if name.startswith('"')]

    @property
    def tests(self) -> list[str]:
        """Tests of this repository, as pytest names them."""
        return [name for name in self.proof if "::" in name]

    @property
    def files(self) -> list[str]:
        """Files of the generated repositories; `a|b` is one of Flask and one of Express."""
        known = {*self.checks, *self.tests}
        return [name for name in self.proof if name not in known and not name.startswith('"')]

    @property
    def kind(self) -> str:
        if self.verdict == "proven":
            return KINDS[0 if self.checks else 1 if self.titles or self.tests else 2]
        return KINDS[("in part", "yours", "absent").index(self.verdict) + 3]


def rows() -> list[Row]:
    """Every row of the data, in its order."""
    _, *lines = DATA.read_text(encoding="utf-8").splitlines()
    return [_row(line) for line in lines]


def _row(line: str) -> Row:
    number, level, verdict, wants, proof, note = line.split("\t")
    return Row(number, level, verdict, wants, tuple(filter(None, proof.split("; "))), note)


def section() -> str:
    """The README's section, from its heading to its last line."""
    found = rows()
    shown = [row for row in found if row.verdict != "absent"]
    return "\n".join(
        [
            HEADING,
            "",
            INTRO,
            *_counts(found),
            "",
            f"Not in the table, because the apps have nothing of the kind: {_absent(found)}.",
            "",
            "<details>",
            f"<summary>{len(shown)} requirements and what proves each</summary>",
            "",
            "| number | level | what it wants | what proves it |",
            "|---|---|---|---|",
            *(f"| {row.number} | {row.level} | {row.wants} | {_cell(row)} |" for row in shown),
            "",
            "</details>",
            "",
        ]
    )


def _counts(found: list[Row]) -> Iterator[str]:
    counted = Counter((row.kind, row.level) for row in found)
    yield "| | level 1 | level 2 |"
    yield "|---|---|---|"
    for kind in KINDS:
        yield _line(kind, (counted[kind, level] for level in LEVELS))
    yield _line("all", (sum(row.level == level for row in found) for level in LEVELS))
    more = sum(row.level == "3" for row in found)
    yield ""
    yield f"Checks follow {more} requirements of level 3 besides; the table names them as well."


def _line(name: str, numbers: Iterable[int]) -> str:
    return f"| {name} | {' | '.join(map(str, numbers))} |"


def _absent(found: list[Row]) -> str:
    """Name each thing that is not there, with the widest numbers that hold nothing else."""
    things: dict[str, list[str]] = {}
    for row in found:
        if row.verdict == "absent":
            things.setdefault(row.wants, []).append(row.number)
    return ", ".join(
        f"{thing} ({', '.join(_shortest(numbers, found))})" for thing, numbers in things.items()
    )


def _shortest(numbers: list[str], found: list[Row]) -> list[str]:
    short: dict[str, None] = {}
    for number in numbers:
        parts = number.split(".")
        prefixes = [".".join(parts[:length]) for length in (1, 2)]
        whole = (prefix for prefix in prefixes if _below(prefix, found) <= set(numbers))
        prefix = next(whole, number)
        short[prefix if "." in prefix else f"V{prefix}"] = None
    return list(short)


def _below(prefix: str, found: list[Row]) -> set[str]:
    return {row.number for row in found if row.number.startswith(f"{prefix}.")}


def _cell(row: Row) -> str:
    proof = ", ".join(_shown(name) for name in row.proof)
    if row.verdict == "yours":
        return f"*yours to do*: {row.note}"
    said = "; ".join(filter(None, (proof, row.note)))
    return f"*in part*: {said}" if row.verdict == "in part" else said


def _shown(name: str) -> str:
    if name.startswith('"'):
        return name
    return " or ".join(f"`{part}`" for part in name.partition("::")[0].split("|"))


def replaced(text: str) -> str:
    """Put the section into the README's text."""
    before, heading, rest = text.partition(f"{HEADING}\n")
    if not heading:
        raise SystemExit(f"README.md has no line {HEADING!r}")
    _, after, others = rest.partition("\n## ")
    return f"{before}{section()}{after}{others}"


if __name__ == "__main__":
    README.write_text(replaced(README.read_text(encoding="utf-8")), encoding="utf-8")
