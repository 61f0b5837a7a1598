"""Help: one screen a page, examples first, true, and as the README shows it."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from test_cli import scaffold

from scaffold.cli import cli
from scaffold.pages import PAGES, page

README = Path(__file__).resolve().parent.parent / "README.md"
COMMANDS = cli.commands
EVERY = ["", *COMMANDS]


def test_every_command_has_a_page() -> None:
    assert tuple(COMMANDS) == PAGES
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{command.short_help}$", page(""), re.MULTILINE)


@pytest.mark.parametrize("command", EVERY)
def test_a_page_is_shown_as_it_is(command: str, tmp_path: Path) -> None:
    for flag in ("-h", "--help"):
        done = scaffold(*[command] * bool(command), flag, cwd=tmp_path)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", page(command))


@pytest.mark.parametrize("command", EVERY)
def test_a_page_fits_a_screen_and_leads_with_examples(command: str) -> None:
    lines = page(command).splitlines()
    assert len(lines) <= (24 if not command else 40)
    assert max(map(len, lines)) <= 80
    assert lines[2] == "Examples:"
    assert lines[3].startswith("  scaffold")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_names_every_flag_and_every_choice(command: str) -> None:
    text = page(command)
    for parameter in COMMANDS[command].params:
        assert [flag for flag in flags(parameter) if not re.search(rf"{flag}\b", text)] == []
        choices = getattr(parameter.type, "choices", ())
        assert [choice for choice in choices if choice not in text] == []
    known = {flag for parameter in COMMANDS[command].params for flag in flags(parameter)}
    known |= {"--json", "--no-input"}
    examples = text.partition("Usage:")[2]
    assert set(re.findall(r"(?<![\w-])--[a-z-]+", examples)) <= known


def flags(parameter: click.Parameter) -> list[str]:
    is_flag = isinstance(parameter, click.Option)
    return [*parameter.opts, *parameter.secondary_opts] if is_flag else []


def test_without_a_word_help_comes_on_standard_error(tmp_path: Path) -> None:
    done = scaffold(cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", page(""))


def test_examples_can_be_run(tmp_path: Path) -> None:
    made = scaffold("new", "shop", "--stack", "flask", "--no-git", cwd=tmp_path)
    assert made.returncode == 0
    examples = re.findall(r"^  scaffold (new .+?)(?:  .*)?$", page("new"), re.MULTILINE)
    for example in examples:
        words = [word for word in example.split() if word != "--dry-run"]
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        place.mkdir()
        words = [word.replace("shop/.", "../shop/.") for word in words]
        done = scaffold(*words, "--dry-run", cwd=place)
        assert done.returncode == 0 or "--stack" not in example, (example, done.stderr)


@pytest.mark.parametrize("command", EVERY)
def test_the_readme_shows_each_page(command: str) -> None:
    shown = f"```console\n$ scaffold {f'{command} ' if command else ''}--help\n{page(command)}```\n"
    assert shown in README.read_text(encoding="utf-8"), f"put the page of {command!r} into README"
