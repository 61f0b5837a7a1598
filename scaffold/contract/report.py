"""What became of each promise, told to people and to machines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from scaffold.contract.checks import Check

KEPT, BROKEN, NOT_TRIED = "kept", "broken", "not-tried"
CHAPTERS = {
    1: "Configuration",
    2: "Operations",
    3: "Sessions",
    4: "Accounts",
    5: "Notes",
    6: "Errors",
    7: "Headers and limits",
    8: "Data",
    9: "Logs",
    10: "Life of the process",
}
# XML 1.0 cannot carry them, not even as escapes.
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Outcome:
    """A check, what became of it, and why."""

    check: Check
    result: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """All outcomes of one run against one app."""

    url: str
    outcomes: Sequence[Outcome]
    seconds: float

    @property
    def counts(self) -> Counter[str]:
        return Counter(outcome.result for outcome in self.outcomes)

    @property
    def status(self) -> int:
        """The exit status: 0 kept, 1 broken, 2 when nothing was tried."""
        if self.counts[BROKEN]:
            return 1
        return 0 if self.counts[KEPT] else 2

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        chapter = 0
        for outcome in self.outcomes:
            if outcome.check.chapter != chapter:
                chapter = outcome.check.chapter
                yield f"{chapter}. {CHAPTERS.get(chapter, '')}"
            yield from _told(outcome)
        yield f"\n{self.url}: {self.summary()}"

    def summary(self) -> str:
        counts = self.counts
        return (
            f"{counts[KEPT]} promises kept, {counts[BROKEN]} broken, "
            f"{counts[NOT_TRIED]} not tried, in {self.seconds:.0f} s."
        )

    def document(self) -> dict[str, Any]:
        """As in verify.schema.json."""
        return {
            "url": self.url,
            "seconds": round(self.seconds, 3),
            "counts": {result: self.counts[result] for result in (KEPT, BROKEN, NOT_TRIED)},
            "checks": [
                {
                    "name": outcome.check.name,
                    "chapter": outcome.check.chapter,
                    "promise": outcome.check.promise,
                    "source": outcome.check.source,
                    "result": outcome.result,
                    "reason": outcome.reason,
                    "seconds": round(outcome.seconds, 3),
                }
                for outcome in self.outcomes
            ],
        }

    def junit(self) -> str:
        """JUnit's XML: a promise is a test case, what was not tried is skipped."""
        counts = self.counts
        suite = ET.Element(
            "testsuite",
            name="contract",
            tests=str(len(self.outcomes)),
            failures=str(counts[BROKEN]),
            errors="0",
            skipped=str(counts[NOT_TRIED]),
            time=f"{self.seconds:.3f}",
        )
        for outcome in self.outcomes:
            _case(suite, outcome)
        ET.indent(suite)
        return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _told(outcome: Outcome) -> Iterator[str]:
    word = {KEPT: "kept     ", BROKEN: "BROKEN   ", NOT_TRIED: "not tried"}[outcome.result]
    yield f"  {word}  {outcome.check.promise}"
    if outcome.result == BROKEN:
        source = f" ({outcome.check.source})" if outcome.check.source else ""
        yield f"             {outcome.check.name}{source}"
    if outcome.reason:
        yield from (f"             {line}" for line in outcome.reason.splitlines())


def _case(suite: ET.Element, outcome: Outcome) -> None:
    check = outcome.check
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"chapter{check.chapter}.{check.name}",
        name=check.promise,
        time=f"{outcome.seconds:.3f}",
    )
    reason = NOT_IN_XML.sub("\ufffd", outcome.reason)
    if outcome.result == BROKEN:
        ET.SubElement(case, "failure", message=reason.split("\n")[0]).text = reason
    elif outcome.result == NOT_TRIED:
        ET.SubElement(case, "skipped", message=reason)
