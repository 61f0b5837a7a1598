"""The questions, answered in a real terminal."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from test_cli import scaffold
from test_repository import ALONE, ME
from transcript import README, shown
from trees import snapshot

ENTER, DOWN, ESCAPE, CLEAR = "\r", "\x1b[B", "\x1b", "\x15"
QUESTIONS = [
    *("What to build on", "Name of the project", "One sentence", "Who holds the copyright"),
    *("Where security reports go", "Database", "Continuous integration"),
    *("Make the first commit", "Install it", "Make it"),
]
Start = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun = []

    def spawn(*more: str, **env: str) -> pexpect.spawn[str]:
        place = tmp_path / "place"
        place.mkdir(exist_ok=True)
        settings = os.environ | ALONE | ME | {"TERM": "xterm", "NO_COLOR": "1"} | env
        child = pexpect.spawn(
            sys.executable,
            ["-m", "scaffold", "new", *more],
            cwd=place,
            env=settings,
            encoding="utf-8",
            timeout=30,
            dimensions=(50, 200),
        )
        begun.append(child)
        return child

    yield spawn
    for child in begun:
        child.close(force=True)


def asked(child: pexpect.spawn[str], question: str) -> None:
    """Wait until the question is shown, and whoever shows it reads keys."""
    # What a terminal already shows is stepped over, not written again.
    child.expect(r"(?: |\x1b\[\d*C)".join(map(re.escape, question.split(" "))))


def over(child: pexpect.spawn[str]) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def answer_all(child: pexpect.spawn[str], answers: dict[str, str], questions: list[str]) -> None:
    for question in questions:
        asked(child, question)
        child.send(answers.get(question, "") + ENTER)


def made(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "place").iterdir())


def test_enter_takes_the_defaults(start: Start, tmp_path: Path) -> None:
    child = start()
    answer_all(child, {}, QUESTIONS)
    child.expect("scaffold new my-app --stack flask --database sqlite --ci github")
    child.expect("Made my-app")
    assert over(child) == 0
    assert made(tmp_path) == ["my-app"]
    assert (tmp_path / "place" / "my-app" / ".git").is_dir()


def test_answers_are_taken_and_can_be_repeated(start: Start, tmp_path: Path) -> None:
    child = start()
    answers = {
        "What to build on": DOWN,
        "Name of the project": f"{CLEAR}shop",
        "Database": DOWN,
        "Continuous integration": DOWN + DOWN,
        "Make the first commit": DOWN,
    }
    answer_all(child, answers, QUESTIONS)
    child.expect(r"  (scaffold new [^\r]+)\r")
    assert child.match is not None
    command = shlex.split(child.match[1])
    assert over(child) == 0
    assert not (tmp_path / "place" / "shop" / ".git").exists()
    record = json.loads((tmp_path / "place" / "shop" / ".scaffold.json").read_text())
    assert record["stack"] == "express"
    assert (record["answers"]["database"], record["answers"]["ci"]) == ("postgresql", "none")
    (tmp_path / "again").mkdir()
    assert scaffold(*command[1:], cwd=tmp_path / "again").returncode == 0
    assert snapshot(tmp_path / "again") == snapshot(tmp_path / "place")


def test_each_question_says_what_follows_and_what_is_made_is_summed_up(start: Start) -> None:
    from scaffold.wizard import CONSEQUENCES

    child = start("shop")
    names = ["stack", "description", "author_name", "contact_email", "database", "ci", "git"]
    questions = [QUESTIONS[0], *QUESTIONS[2:-1]]
    for name, question in zip([*names, "install"], questions, strict=True):
        asked(child, CONSEQUENCES[name])
        asked(child, question)
        child.send(ENTER)
    for row in (
        r"stack +flask",
        r"database +sqlite",
        r"install +no",
        r"files +\d+ in shop, \d+ kB",
    ):
        child.expect(row)
    asked(child, "Make it")
    child.send("\x03")
    assert over(child) == 130


def test_one_can_go_back(start: Start, tmp_path: Path) -> None:
    child = start("shop", "--no-git", "--no-install")
    asked(child, "What to build on")
    child.send(ENTER)
    asked(child, "One sentence")
    child.send(ESCAPE)
    asked(child, "What to build on")
    child.send(DOWN + ENTER)
    asked(child, "One sentence")
    child.send(f"{CLEAR}Sells things{ENTER}")
    asked(child, "Who holds the copyright")
    child.send(ESCAPE)
    # What was answered is still there.
    asked(child, "One sentence")
    asked(child, "Sells things")
    rest = QUESTIONS[2:7]
    child.send(ENTER)
    answer_all(child, {}, rest[1:])
    asked(child, "Make it")
    child.send(DOWN + ENTER)
    asked(child, "Continuous integration")
    child.send(ENTER)
    asked(child, "Make it")
    child.send(ENTER)
    assert over(child) == 0
    record = json.loads((tmp_path / "place" / "shop" / ".scaffold.json").read_text())
    assert (record["stack"], record["answers"]["description"]) == ("express", "Sells things")


def test_names_are_checked_while_they_are_typed(start: Start, tmp_path: Path) -> None:
    (tmp_path / "place" / "taken").mkdir(parents=True)
    (tmp_path / "place" / "taken" / "mine").touch()
    child = start("--stack=flask", "--set", "name=x", "--dry-run", "--no-input")
    assert over(child) == 0
    child = start()
    asked(child, "What to build on")
    child.send(ENTER)
    asked(child, "Name of the project")
    child.send(f"{CLEAR}My Shop")
    asked(child, "Use lowercase letters and digits")
    child.send(f"{CLEAR}taken")
    asked(child, "taken is there already")
    child.send(f"{CLEAR}flask")
    asked(child, "It is reserved")
    child.send(f"{CLEAR}shop{ENTER}")
    asked(child, "One sentence")
    child.send("\x03")
    assert over(child) == 130
    assert made(tmp_path) == ["taken"]


@pytest.mark.parametrize("at", [0, 1, 5, 9], ids=lambda at: QUESTIONS[at].split()[0])
def test_ctrl_c_at_each_question_leaves_nothing(at: int, start: Start, tmp_path: Path) -> None:
    child = start()
    answer_all(child, {}, QUESTIONS[:at])
    asked(child, QUESTIONS[at])
    child.send("\x03")
    child.expect("Interrupted")
    assert over(child) == 130
    assert made(tmp_path) == []


def test_who_does_not_want_to_be_asked_is_not(start: Start, tmp_path: Path) -> None:
    for more in (["--no-input"], ["--json"]):
        child = start(*more)
        child.expect("--stack flask or --stack express")
        assert over(child) == 2
    child = start(TERM="dumb")
    assert over(child) == 2
    assert made(tmp_path) == []


def test_the_readme_shows_what_is_asked_today() -> None:
    from scaffold.install import TARGETS
    from scaffold.wizard import CONSEQUENCES

    told = shown(README.read_text(encoding="utf-8"))
    steps = [title for title, _ in TARGETS]
    missing = [text for text in (*CONSEQUENCES.values(), *QUESTIONS, *steps) if text not in told]
    assert missing == [], "record it anew: python tests/transcript.py"
    assert 'GET /readyz: 200 {"status":"ok"' in told
