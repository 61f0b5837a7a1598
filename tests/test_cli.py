"""The command line, as a user meets it: through a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold import __version__


def scaffold(
    *arguments: str, cwd: Path, timeout: float = 60, **extra: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scaffold", *arguments],
        cwd=cwd,
        env=os.environ | extra,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], cwd: Path) -> str:
    """Check for exit 2, one sentence on stderr, nothing else and a clean disk."""
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: [^\n]+[.?]\n", done.stderr), done.stderr
    assert list(cwd.iterdir()) == []
    return done.stderr


@pytest.mark.parametrize("stack", ["flask", "express"])
def test_bare_new_works(stack: str, tmp_path: Path) -> None:
    done = scaffold("new", "--stack", stack, "--no-git", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    files = [path for path in (tmp_path / "my-app").rglob("*") if path.is_file()]
    assert f"Made my-app: {stack}-sqlite-github, {len(files)} files.\n" in done.stdout
    assert done.stdout.endswith("Next:\n  cd my-app\n  make setup\n  make dev\n")


def test_answers_are_recorded(tmp_path: Path) -> None:
    answers = {
        "project_slug": "shop",
        "description": "Größe & Söhne",
        "author_name": "O\u2019Brien",
        "contact_email": "sec@shop.example",
        "database": "mysql",
        "ci": "none",
    }
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in answers.items()][1:]
    done = scaffold(
        "new", "shop", "--stack=express", "-o", "deep/er", *flags, cwd=tmp_path, PYTHONUTF8="1"
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "deep/er/shop/.scaffold.json").read_text(encoding="utf-8"))
    expected = {"stack": "express", "template_version": __version__, "answers": answers}
    assert record == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["new"], "--stack flask or --stack express"),
        (["new", "My Shop", "--stack", "flask"], "try 'my-shop'"),
        (["new", "", "--stack", "flask"], "try 'my-app'"),
        (["new", "../evil", "--stack", "flask"], "try 'evil'"),
        (["new", "/abs", "--stack", "flask"], "try 'abs'"),
        (["new", "con", "--stack", "flask"], "reserved (Windows)"),
        (["new", "--stack", "django"], "'flask', 'express'"),
        (["new", "--stack", "flask", "--databse", "mysql"], "Did you mean '--database'?"),
        (["new", "--stack", "flask", "--database", "oracle"], "'postgresql'"),
        (["new", "--stack", "flask", "--description", "it's"], "without quotes"),
        (["new", "--stack", "flask", "--contact-email", "me"], "e-mail address"),
        (["new", "--stack", "flask", "-o"], "-o"),
        (["new", "a", "b", "--stack", "flask"], "unexpected extra argument"),
        (["nwe"], "Did you mean 'new'?"),
        (["variants", "--set", "some"], "'pairs'"),
        (["variants", "--set"], "requires an argument"),
        (["variants", "--json=yes"], "does not take a value"),
        (["completion", "tcsh"], "'bash', 'zsh', 'fish'"),
        (["schema"], "Choose from: new"),
        (["verify"], "--url"),
        (["verify", "--url", "http://localhost:1", "--chapter", "11"], "1<=x<=10"),
        (["verify", "--url", "http://localhost:1", "--wait", "soon"], "valid float range"),
        (["--jsn"], "No such option"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    assert says in refused(scaffold(*arguments, cwd=tmp_path), tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    assert "try 'caf'" in refused(scaffold("new", name, "--stack", "flask", cwd=tmp_path), tmp_path)


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "my-app" / "kept"
    kept.parent.mkdir()
    kept.write_text("mine")
    done = scaffold("new", "--stack", "flask", cwd=tmp_path)
    assert done.returncode == 2
    assert "my-app exists and is not an empty directory" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["my-app", "kept"]
    assert kept.read_text() == "mine"


def test_an_empty_directory_is_used_and_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "my-app").mkdir(mode=0o700)
    assert scaffold("new", "--stack", "flask", cwd=tmp_path).returncode == 0
    assert (tmp_path / "my-app" / ".scaffold.json").is_file()
    assert (tmp_path / "my-app").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["my-app"]


@pytest.mark.parametrize("output", ["file", "file/below", "/proc", "/proc/below", "x" * 300])
def test_a_place_that_cannot_be_written_is_named(output: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    done = scaffold("new", "--stack", "flask", "-o", output, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: Cannot write [^\n]+my-app \([^\n]+\): [^\n]+\.\n", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    run = "import runpy; runpy.run_module('scaffold', run_name='__main__')"
    command = [sys.executable, "-B", "-c", f"{limit}; {run}", "new", "--stack", "flask"]
    done = subprocess.run(
        [*command, "-o", "deep/er"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Cannot write deep/er/my-app" in refused(done, tmp_path)


def test_a_bug_is_reported_as_one(tmp_path: Path) -> None:
    broken = (
        "import scaffold.render as r; r._write = lambda *_: 1 / 0; import scaffold.__main__ as m"
    )
    command = [sys.executable, "-c", f"{broken}; raise SystemExit(m.main())"]
    command += ["new", "--stack", "flask"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"This is a bug in scaffold \(ZeroDivisionError\)[^\n]+\n", done.stderr)
    debug = os.environ | {"SCAFFOLD_DEBUG": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=debug
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_is_no_bug(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "scaffold", "options"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_options_are_listed(tmp_path: Path) -> None:
    done = scaffold("options", "--stack", "express", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("express (TypeScript)\n")
    for word in ("NAME", "--database", "postgresql", "--ci", "gitlab", "--contact-email"):
        assert word in done.stdout


def test_variants_are_listed(tmp_path: Path) -> None:
    done = scaffold("variants", cwd=tmp_path)
    assert len(done.stdout.splitlines()) == 18
    rows = json.loads(scaffold("variants", "--json", "--set", "default", cwd=tmp_path).stdout)
    assert [row["id"] for row in rows] == ["flask-sqlite-github", "express-sqlite-github"]
    assert rows[0]["stack"] == "flask"
    assert rows[0]["answers"]["database"] == "sqlite"


def test_the_version_is_told(tmp_path: Path) -> None:
    assert scaffold("--version", cwd=tmp_path).stdout == f"scaffold {__version__}\n"
