"""The command line in scripts: answers from files, JSON by its schema, no prompts, exit codes."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from test_cli import scaffold
from trees import snapshot

import scaffold as package
from scaffold.pages import PAGES

PACKAGE = Path(package.__file__).parent
ERROR = "error"


def schema(command: str) -> Any:
    folder = "contract" if command == "verify" else "schemas"
    text = (PACKAGE / folder / f"{command}.schema.json").read_text(encoding="utf-8")
    return json.loads(text)


def held(command: str, text: str) -> Any:
    """The document, which must be what the schema of `command` says."""
    document = json.loads(text)
    Draft202012Validator(schema(command)).validate(document)
    return document


@pytest.mark.parametrize("name", [*PAGES, ERROR])
def test_every_command_has_a_schema(name: str, tmp_path: Path) -> None:
    Draft202012Validator.check_schema(schema(name))
    done = scaffold("schema", name, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert held("schema", done.stdout) == schema(name)


@pytest.mark.parametrize(
    "arguments",
    [
        ["options"],
        ["options", "--stack", "express"],
        ["variants", "--set", "pairs"],
        ["completion", "fish"],
        ["new", "--stack", "flask", "--dry-run"],
    ],
)
def test_what_is_printed_is_what_the_schema_says(arguments: list[str], tmp_path: Path) -> None:
    done = scaffold(*arguments, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    held(arguments[0], done.stdout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "option"),
    [
        (["new"], "stack-missing", "--stack"),
        (["new", "My Shop", "--stack", "flask"], "invalid-answer", "NAME"),
        (["new", "--stack", "flask", "--databse=mysql"], "usage-error", "--databse"),
        (["new", "--answers", "nowhere.toml"], "answers-unusable", "--answers"),
        (["new", "--stack", "flask", "-o", "/proc"], "cannot-write", "--output"),
        (["verify"], "usage-error", "--url"),
        (["verify", "--url", "localhost"], "url-unusable", "--url"),
    ],
)
def test_errors_are_documents_as_well(
    arguments: list[str], code: str, option: str, tmp_path: Path
) -> None:
    done = scaffold(*arguments, "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    error = held(ERROR, done.stderr)["error"]
    assert (error["code"], error["option"], error["exit"]) == (code, option, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_project_is_told_as_it_is(tmp_path: Path) -> None:
    done = scaffold("new", "shop", "--stack", "express", "--no-git", "--json", cwd=tmp_path)
    told = held("new", done.stdout)
    made = tmp_path / "shop"
    on_disk = {p.relative_to(made).as_posix(): p for p in made.rglob("*") if p.is_file()}
    assert told["directory"] == str(made)
    sizes = {file["path"]: file["bytes"] for file in told["files"]}
    assert sizes == {name: path.stat().st_size for name, path in on_disk.items()}
    assert (told["git"], told["install"], told["dry_run"]) == (None, None, False)
    assert told["next"] == [["cd", "shop"], ["make", "setup"], ["make", "dev"]]


def test_a_dry_run_says_what_would_be_written(tmp_path: Path) -> None:
    asked = ["new", "shop", "--stack", "flask", "--no-git"]
    dry = held("new", scaffold(*asked, "--dry-run", "--json", cwd=tmp_path).stdout)
    shown = scaffold(*asked, "--dry-run", cwd=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []
    made = held("new", scaffold(*asked, "--json", cwd=tmp_path).stdout)
    assert dry["files"] == made["files"]
    assert (dry["dry_run"], made["dry_run"]) == (True, False)
    assert shown.splitlines()[0].split()[0] == "shop/"
    for file in dry["files"]:
        assert f"── {file['path'].rpartition('/')[2]}" in shown
    assert f"{len(dry['files'])} files" in shown
    assert shown.endswith("Nothing was written.\n")
    done = scaffold(*asked, "--dry-run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "shop exists" in done.stderr


def test_the_answers_of_a_project_repeat_it(tmp_path: Path) -> None:
    flags = ["--database", "mysql", "--ci", "none", "--description", "Größe & Söhne"]
    scaffold("new", "shop", "--stack", "express", "--no-git", *flags, cwd=tmp_path)
    for number, given in enumerate(("shop/.scaffold.json", "shop")):
        place = f"again-{number}"
        done = scaffold("new", "--no-git", "--answers", given, "-o", place, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert snapshot(tmp_path / place / "shop") == snapshot(tmp_path / "shop")


def test_the_command_that_repeats_does(tmp_path: Path) -> None:
    given = ["--author-name", "O\u2019Brien", "--ci", "gitlab", "-o", "a b", "--no-git", "--json"]
    told = held("new", scaffold("new", "shop", "--stack", "flask", *given, cwd=tmp_path).stdout)
    (tmp_path / "other").mkdir()
    again = scaffold(*told["repeat"][1:], cwd=tmp_path / "other")
    assert again.returncode == 0, again.stderr
    assert snapshot(tmp_path / "other" / "a b") == snapshot(tmp_path / "a b")


TOML = 'stack = "flask"\nname = "from-file"\ndatabase = "mysql"\nci = "none"\n'


def test_flags_win_over_pairs_and_pairs_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text(TOML)
    given = ["--answers", "answers.toml", "--set", "database=postgresql", "--set", "name=set"]
    given += ["--set", "contact-email=a@b.example", "--ci", "gitlab", "--dry-run", "--json"]
    told = held("new", scaffold("new", *given, cwd=tmp_path).stdout)
    answers = told["answers"]
    assert (answers["project_slug"], answers["database"]) == ("set", "postgresql")
    assert (answers["ci"], answers["contact_email"]) == ("gitlab", "a@b.example")
    told = held("new", scaffold("new", "flag", *given, cwd=tmp_path).stdout)
    assert told["answers"]["project_slug"] == "flag"


def test_answers_come_through_a_pipe(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scaffold", "new", "--answers", "-", "--dry-run", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path, input=TOML, capture_output=True, text=True, check=True
    )
    assert held("new", done.stdout)["answers"]["database"] == "mysql"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('stack = "flask"\ndatabse = "mysql"\n', "did you mean 'database'"),
        ('stack = "flask"\ndatabase = "oracle"\n', "choose from"),
        ('stack = "django"\n', "choose from flask, express"),
        ("stack = 3\n", "stack is not text"),
        ("stack =\n", "Cannot use the answers"),
        ("[1, 2]\n", "Cannot use the answers"),
        ('{"stack": "flask"', "Cannot use the answers"),
        ('name = "shop"\n', "--stack flask or --stack express"),
    ],
)
def test_bad_answers_are_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    path.write_text(text)
    done = scaffold("new", "--answers", "answers", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("pair", ["database", "colour=red", "stack=django", "=x"])
def test_bad_pairs_are_refused(pair: str, tmp_path: Path) -> None:
    done = scaffold("new", "--stack", "flask", "--set", pair, cwd=tmp_path)
    if pair.startswith("stack"):
        # The flag wins over it.
        assert done.returncode == 0
        return
    assert (done.returncode, done.stdout) == (2, "")
    assert "--set" in done.stderr or "KEY=VALUE" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_asked_without_a_terminal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scaffold", "new"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        # Its input stays open: whoever read it would wait for ever.
        assert process.wait(20) == 2
        assert process.stderr is not None
        assert b"--stack flask or --stack express" in process.stderr.read()


@pytest.mark.parametrize(
    ("settings", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_as_wanted(settings: dict[str, str], coloured: bool, tmp_path: Path) -> None:
    for arguments in (["-h"], ["doctor", "--stack", "flask"]):
        done = scaffold(*arguments, cwd=tmp_path, **settings)
        assert ("\x1b[" in done.stdout) == coloured, done.stdout


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_lines_are_as_wide_as_the_terminal(columns: int, tmp_path: Path) -> None:
    arguments = ["new", "--stack", "flask", "--dry-run"]
    done = scaffold(*arguments, cwd=tmp_path, COLUMNS=str(columns))
    assert max(map(len, done.stdout.splitlines()[:3])) <= columns


def test_an_old_python_is_told_before_anything_could_crash(tmp_path: Path) -> None:
    for name in ("__init__.py", "__main__.py"):
        source = (PACKAGE / name).read_text(encoding="utf-8")
        tree = ast.parse(source, feature_version=(3, 7))
        # `from __future__ import annotations` and `:=` are younger than 3.6.
        kinds = {type(node).__name__ for node in ast.walk(tree)}
        assert not kinds & {"NamedExpr", "Match", "TryStar", "TypeAlias"}
        assert "__future__" not in source
        for node in tree.body:
            # What is imported first is there in each Python.
            names = [each.name for each in getattr(node, "names", [])]
            assert not isinstance(node, ast.ImportFrom | ast.Import) or set(names) <= {"os", "sys"}
    old = "import sys; sys.version_info = (3, 6, 9, 'final', 0); from scaffold.__main__ import main"
    seen = "print([name for name in sys.modules if name.startswith('scaffold')])"
    done = subprocess.run(
        [sys.executable, "-c", f"{old}; status = main(); {seen}; sys.exit(status)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("Python 3.6 is too old: scaffold needs Python 3.11 or newer")
    assert done.stdout == "['scaffold', 'scaffold.__main__']\n"


def test_a_failed_write_to_standard_output_is_no_traceback(tmp_path: Path) -> None:
    with Path(os.devnull).open("rb") as unwritable:
        done = subprocess.run(
            [sys.executable, "-m", "scaffold", "variants"],
            cwd=tmp_path,
            stdout=unwritable,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
