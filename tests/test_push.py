"""The first push of a new repository is green: its CI file at work on a clone of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pipelines
import pytest
from pipelines import Job, Unknown
from trees import EVERY, rendered

from scaffold.render import render
from scaffold.stacks import stacks
from scaffold.variants import Variant, variant

Reader = Callable[[str], Iterator[Job]]
READERS: dict[str, tuple[str, Reader]] = {
    "github": (".github/workflows/ci.yml", pipelines.github),
    "gitlab": (".gitlab-ci.yml", pipelines.gitlab),
}
CALLED = [found for found in EVERY if found.answers["ci"] in READERS]
# Each service with each database, and each stack with both services and every database.
PUSHED = [
    variant(stacks()[stack], database=database, ci=ci)
    for stack, database, ci in (
        ("flask", "sqlite", "github"),
        ("flask", "postgresql", "gitlab"),
        ("flask", "mysql", "github"),
        ("express", "sqlite", "gitlab"),
        ("express", "postgresql", "github"),
        ("express", "mysql", "gitlab"),
    )
]
SETUP = {"flask": "actions/setup-python@", "express": "actions/setup-node@"}


def jobs(found: Variant, project: Path) -> list[Job]:
    name, read = READERS[found.answers["ci"]]
    return list(read((project / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("found", CALLED, ids=lambda found: found.id)
def test_every_step_is_known(found: Variant, tmp_path: Path) -> None:
    rendered(found, tmp_path / "project")
    names = [job.name for job in jobs(found, tmp_path / "project")]
    assert names == (["check", "image"] if found.answers["ci"] == "github" else ["check"])
    job, *_ = jobs(found, tmp_path / "project")
    assert (job.database is None) == (found.answers["database"] == "sqlite")


@pytest.mark.parametrize("found", PUSHED, ids=lambda found: found.id)
def test_the_first_push_is_green(found: Variant, tmp_path: Path) -> None:
    project, calls = tmp_path / found.answers["project_slug"], tmp_path / "calls"
    render(found, project)
    pipelines.commit(project)
    for job in jobs(found, project):
        pipelines.run(job, project, calls)
    built = [["build", "--tag", found.answers["project_slug"], "."]]
    assert pipelines.words(calls) == (built if found.answers["ci"] == "github" else [])


@pytest.mark.parametrize("stack", SETUP)
def test_a_pipeline_that_does_more_is_not_taken_for_green(stack: str, tmp_path: Path) -> None:
    found = variant(stacks()[stack])
    source = rendered(found, tmp_path / "project")[".github/workflows/ci.yml"].decode()
    for old, new in (
        (SETUP[stack], "someone/elses@"),
        ("      - run: make check\n", "      - run: make check\n        shell: pwsh\n"),
        ("      - run: make check\n", '      - run: make check KEY="${{ secrets.KEY }}"\n'),
        ("vars.SCAFFOLD != ''", "always()"),
    ):
        assert old in source
        with pytest.raises(Unknown):
            list(pipelines.github(source.replace(old, new)))


def test_a_red_step_is_red(tmp_path: Path) -> None:
    found = variant(stacks()["flask"], ci="gitlab")
    project = tmp_path / "project"
    render(found, project)
    (project / "Makefile").write_text("setup:\n\ttouch left\ncheck:\n\tfalse\n")
    pipelines.commit(project)
    (job,) = jobs(found, project)
    with pytest.raises(AssertionError, match="make check"):
        pipelines.run(job, project, tmp_path / "calls")
    job.steps[0] = pipelines.Step("make setup")
    with pytest.raises(AssertionError, match="left"):
        pipelines.run(job, project, tmp_path / "calls")
