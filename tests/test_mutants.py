"""The suite on trial: an app with one seeded fault must fail the checks of that promise."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from boots import Booted, baked, settings
from services import Sqlite, private_directory

from scaffold.contract.checks import checks
from scaffold.contract.client import Broken
from scaffold.project import Project
from scaffold.server import NotReady
from scaffold.stacks import stacks
from scaffold.variants import variant

LEAST = 20
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
    old: str
    new: str

    def apply(self, project: Project) -> None:
        path = project.directory / self.file
        source = path.read_text(encoding="utf-8")
        found = source.count(self.old)
        assert found == 1, f"{self.name}: its old text is {found} times in {self.file}"
        path.write_text(source.replace(self.old, self.new), encoding="utf-8")


# Stack by stack, so that each is baked once.
MUTANTS = [
    Mutant(stack, entry["name"], entry["chapter"], tuple(entry["killers"]), **entry[stack])
    for stack in stacks()
    for entry in ENTRIES
]


@pytest.fixture(scope="session", params=list(stacks()))
def healthy(request: pytest.FixtureRequest) -> Iterator[Project]:
    """A migrated SQLite project, to be copied and broken."""
    with baked(variant(stacks()[request.param])) as project, ExitStack() as stack:
        Booted(project, Sqlite(), settings(Sqlite().fresh()), stack).migrate()
        yield project


def test_every_chapter_has_mutants() -> None:
    assert len(ENTRIES) >= LEAST
    assert len({entry["name"] for entry in ENTRIES}) == len(ENTRIES)
    assert {entry["chapter"] for entry in ENTRIES} == set(range(1, 11))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_killers_are_checks_of_the_chapter(entry: dict[str, object]) -> None:
    killers = entry["killers"]
    assert isinstance(killers, list)
    assert [checks()[name].chapter for name in killers] == [entry["chapter"]] * len(killers)


@pytest.mark.parametrize(
    ("healthy", "mutant"),
    [pytest.param(found.stack, found, id=f"{found.stack}-{found.name}") for found in MUTANTS],
    indirect=["healthy"],
)
def test_mutant_is_killed(healthy: Project, mutant: Mutant) -> None:
    with private_directory() as home, ExitStack() as stack:
        directory = home / healthy.directory.name
        shutil.copytree(healthy.directory, directory, symlinks=True)
        project = Project(directory)
        mutant.apply(project)
        target = Booted(project, Sqlite(), settings(Sqlite().fresh()), stack).target()
        for name in mutant.killers:
            try:
                checks()[name].run(target)
            except (Broken, NotReady, LookupError):
                return
        survived = ", ".join(mutant.killers)
        pytest.fail(f"{mutant.stack}: {mutant.name} survived {survived}", pytrace=False)
