"""The suite on trial: an app with one seeded fault must fail the checks of that promise."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from boots import Booted, baked, settings
from services import Sqlite, private_directory

from scaffold.contract.checks import checks
from scaffold.contract.client import Broken
from scaffold.project import Project
from scaffold.server import NotReady
from scaffold.stacks import stacks
from scaffold.variants import variant

LEAST = 60
# A check fails by saying what is broken, or because the app talks nonsense or is gone.
KILLED = (Broken, NotReady, LookupError, OSError, HTTPException)
ENTRIES = [
    {**entry, "chapter": chapter["chapter"]}
    for path in sorted((Path(__file__).parent / "mutants").glob("*.toml"))
    for chapter in [tomllib.loads(path.read_text(encoding="utf-8"))]
    for entry in chapter["mutant"]
]


@dataclass(frozen=True)
class Mutant:
    """One small edit to an app that breaks one promise, and the checks that must notice."""

    stack: str
    name: str
    chapter: int
    killers: tuple[str, ...]
    file: str
    # Mostly one place; where a promise is kept twice, both.
    edits: tuple[tuple[str, str], ...]

    def apply(self, project: Project) -> None:
        path = project.directory / self.file
        source = path.read_text(encoding="utf-8")
        for old, new in self.edits:
            found = source.count(old)
            assert found == 1, f"{self.name}: {old!r} is {found} times in {self.file}"
            source = source.replace(old, new)
        path.write_text(source, encoding="utf-8")


def seeded(stack: str, entry: dict[str, Any]) -> Mutant:
    edit = entry[stack]
    old, new = ([each] if isinstance(each, str) else each for each in (edit["old"], edit["new"]))
    edits = tuple(zip(old, new, strict=True))
    killers = tuple(entry["killers"])
    return Mutant(stack, entry["name"], entry["chapter"], killers, edit["file"], edits)


# Stack by stack, so that each is baked once.
MUTANTS = [seeded(stack, entry) for stack in stacks() for entry in ENTRIES]
# All of them take minutes: other suites try every so many-th, another set each day.
TODAY = datetime.now(UTC).toordinal()
CHOSEN = os.environ.get("MUTANTS", "8")
EVERY = 1 if CHOSEN == "all" else int(CHOSEN)
TRIED = [each for n, each in enumerate(MUTANTS) if (n + TODAY) % EVERY == 0]


@pytest.fixture(scope="session")
def healthy() -> Iterator[Callable[[str], Project]]:
    """A migrated SQLite project of a stack, to be copied and broken; made once."""
    with ExitStack() as stack:

        @cache
        def make(name: str) -> Project:
            project = stack.enter_context(baked(variant(stacks()[name])))
            Booted(project, Sqlite(), settings(Sqlite().fresh()), stack).migrate()
            return project

        yield make


def test_every_chapter_has_mutants() -> None:
    assert len(ENTRIES) >= LEAST
    assert len({entry["name"] for entry in ENTRIES}) == len(ENTRIES)
    assert {entry["chapter"] for entry in ENTRIES} == set(range(1, 11))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_killers_are_checks_of_the_chapter(entry: dict[str, object]) -> None:
    killers = entry["killers"]
    assert isinstance(killers, list)
    assert [checks()[name].chapter for name in killers] == [entry["chapter"]] * len(killers)


@pytest.mark.parametrize("found", MUTANTS, ids=lambda each: f"{each.stack}-{each.name}")
def test_mutant_applies(found: Mutant) -> None:
    """Its place is still there, once: in the template, where it stands."""
    source = (stacks()[found.stack].tree / found.file).read_text(encoding="utf-8")
    places = [source.count(old) for old, _ in found.edits]
    assert places == [1] * len(places)


@pytest.mark.parametrize("found", TRIED, ids=lambda each: f"{each.stack}-{each.name}")
def test_mutant_is_killed(healthy: Callable[[str], Project], found: Mutant) -> None:
    with private_directory() as home, ExitStack() as stack:
        origin = healthy(found.stack).directory
        directory = home / origin.name
        shutil.copytree(origin, directory, symlinks=True)
        project = Project(directory)
        found.apply(project)
        target = Booted(project, Sqlite(), settings(Sqlite().fresh()), stack).target()
        for name in found.killers:
            try:
                checks()[name].run(target)
            except KILLED:
                return
        survived = ", ".join(found.killers)
        pytest.fail(f"{found.stack}: {found.name} survived {survived}", pytrace=False)
