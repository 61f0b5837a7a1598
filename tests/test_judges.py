"""What others' linters and scanners say of the projects: nothing that is not explained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import judging
import pytest
from boots import baked
from judging import Finding, accepted
from trees import EVERY, rendered

from scaffold.stacks import stacks
from scaffold.variants import variant

Judge = Callable[[Path], Iterable[Finding]]
ROOT = Path(__file__).resolve().parent.parent
DATABASES = ("sqlite", "postgresql", "mysql")
# These look at files one by one; those below at a project as a whole.
OF_FILES: list[Judge] = [
    judging.hadolint,
    judging.actionlint,
    judging.zizmor,
    judging.schemas,
    judging.checkov,
    judging.bandit,
    judging.eslint,
    judging.secrets,
]
OF_PROJECTS: list[tuple[Judge, str]] = [
    (judging.vulture, "flask"),
    (judging.deptry, "flask"),
    (judging.knip, "express"),
]
# A file that each judge has to mind, and what it has to say.
WORKFLOW = """
on: {issues: {types: [opened]}}
jobs:
  a:
    runs-on: ubuntu-24.04
    steps: [{run: "echo ${{ github.event.issue.title }}"}]
"""


def name_of(given: Judge | str) -> str:
    return given if isinstance(given, str) else given.__name__


# In two halves, so that nobody takes it for one here.
KEY = "AKIA" + "QYLPMN5HFIQR7BBB"
BACKTRACKS = "regexp/no-super-linear-backtracking"
SEEDED = {
    "hadolint": ("Dockerfile", "FROM debian\nRUN sudo true\n", "DL3004"),
    "actionlint": (".github/workflows/a.yml", WORKFLOW, "expression"),
    "zizmor": (".github/workflows/a.yml", WORKFLOW, "template-injection"),
    "schemas": ("compose.yaml", "services: {app: {imge: a}}\n", "vendor.compose-spec"),
    "checkov": ("Dockerfile", "FROM debian:13\nUSER root\n", "CKV_DOCKER_8"),
    "bandit": ("app/a.py", "import yaml\nyaml.load(input())\n", "B506"),
    "eslint": (
        "app/a.ts",
        "export const a = /^(a+)+$/.exec(process.argv[2] as string)\n",
        BACKTRACKS,
    ),
    "secrets": (
        "app/a.py",
        f'KEY = "{KEY}"\n',
        "AWS Access Key",
    ),
}
LEFT = {
    "vulture": ("app/left.py", "def left_over():\n    pass\n", "unused function 'left_over'"),
    "deptry": ("app/left.py", "import numpy\n", "numpy"),
    "knip": ("app/left.ts", "export const left = 1;\n", "app/left.ts"),
}
pytestmark = pytest.mark.xdist_group("judges")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file of every variant, once for each distinct content, and our own workflows."""
    root, seen = tmp_path_factory.mktemp("judges") / "corpus", set()
    for found in EVERY:
        tree = rendered(found, tmp_path_factory.mktemp("variant") / "project")
        for name, data in tree.items():
            key = (found.stack.name, name, hashlib.sha256(data).digest())
            if key not in seen:
                seen.add(key)
                _write(root / found.id / name, data)
    for path in (ROOT / ".github").rglob("*.yml"):
        _write(root / "this" / path.relative_to(ROOT), path.read_bytes())
    return root


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("judge", OF_FILES, ids=lambda judge: judge.__name__)
def test_every_finding_is_explained(judge: Judge, corpus: Path) -> None:
    look(judge.__name__, list(judge(corpus)))


@pytest.mark.parametrize(("judge", "stack"), OF_PROJECTS, ids=name_of)
def test_nothing_is_left_over(judge: Judge, stack: str) -> None:
    findings = []
    for database in DATABASES:
        with baked(variant(stacks()[stack], database=database)) as project:
            findings += judge(project.directory)
    look(judge.__name__, findings)


@pytest.mark.parametrize("judge", OF_FILES, ids=lambda judge: judge.__name__)
def test_a_judge_sees(judge: Judge, tmp_path: Path) -> None:
    name, text, rule = SEEDED[judge.__name__]
    _write(tmp_path / "project" / name, text.encode())
    said = {found.rule for found in judge(tmp_path)}
    assert rule in said


@pytest.mark.parametrize(("judge", "stack"), OF_PROJECTS, ids=name_of)
def test_a_judge_sees_what_is_left_over(judge: Judge, stack: str) -> None:
    name, text, said = LEFT[judge.__name__]
    with baked(variant(stacks()[stack])) as project:
        _write(project.directory / name, text.encode())
        assert said in {found.text for found in judge(project.directory)}


def look(name: str, findings: list[Finding]) -> None:
    """Nothing beyond what is accepted, and nothing accepted that is no longer found."""
    known = [each for each in accepted() if each.judge == name]
    left = [found for found in findings if not any(each.covers(found) for each in known)]
    assert left == [], "\n".join(map(str, left))
    stale = [each for each in known if not any(each.covers(found) for found in findings)]
    assert stale == []


def test_each_reason_belongs_to_a_judge() -> None:
    judges = {judge.__name__ for judge in OF_FILES} | {judge.__name__ for judge, _ in OF_PROJECTS}
    assert {each.judge for each in accepted()} <= judges
    assert [each for each in accepted() if len(each.why.split()) < 4] == []
