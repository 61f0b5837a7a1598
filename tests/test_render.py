"""Rendering: what stock cookiecutter writes, all of it or nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter
from trees import EVERY, rendered, snapshot

from scaffold.errors import CannotWrite, Interrupted, TargetTaken
from scaffold.render import render
from scaffold.stacks import Stack, stacks
from scaffold.variants import Variant, variant

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def stock(tmp_path: Path) -> Callable[[Variant], Path]:
    """Bake a variant with stock cookiecutter, away from the user's own settings."""
    config = tmp_path / "config.yaml"
    places = {"cookiecutters_dir": str(tmp_path / "c"), "replay_dir": str(tmp_path / "r")}
    config.write_text(json.dumps(places))

    def bake(wanted: Variant) -> Path:
        made = cookiecutter(
            str(wanted.stack.directory),
            no_input=True,
            extra_context=dict(wanted.answers),
            output_dir=str(tmp_path / "stock"),
            config_file=str(config),
        )
        return Path(made)

    return bake


@pytest.fixture
def tiny(tmp_path: Path) -> Stack:
    """A template with one of everything that could go differently."""
    settings = {
        key: value
        for key, value in stacks()["express"].settings.items()
        if key not in {"_features", "_seams"}
    } | {
        "_features": {
            "database": {
                "sqlite": ["only/sqlite", "lock-sqlite -> lock"],
                "postgresql": ["only/postgresql.txt"],
                "mysql": ["lock-mysql -> lock"],
            },
            "ci": {"github": [".github"], "gitlab": [], "none": []},
        }
    }
    stack = Stack("tiny", tmp_path / "tiny")
    files = {
        "plain.txt": b"no newline at the end",
        "empty": b"",
        "crlf.txt": b"a\r\nb\rc\n",
        "binary.bin": bytes(range(256)) + b"{{ cookiecutter.ci }}",
        "picture.png": b"\x89PNG\r\n\x1a\n\xff\xfe\x80{{ cookiecutter.ci }}\x81" * 9,
        "bom.txt": "\ufeffÄ {{ cookiecutter.description }}\n".encode(),
        "code.ts": b"a;\n  // scaffold: if cookiecutter.database == 'mysql'\nb;\n"
        b"  // scaffold: endif\n\nc;\n",
        "conf.yml": b"a: 1\n# scaffold: if cookiecutter.ci == 'none'\nb: 2\n"
        b"# scaffold: endif\nc: 3",
        "value.md": b"{{ cookiecutter._databases[cookiecutter.database].title }}\n{# gone #}\n",
        "{{cookiecutter.project_slug}}.txt": b"named\n",
        "only/sqlite/deep/x": b"x",
        "only/postgresql.txt": b"y",
        "lock": b"all",
        "lock-sqlite": b"s {{ cookiecutter.database }}",
        "lock-mysql": b"m",
        ".github/workflows/ci.yml": b"on: push\n",
        "run.sh": b"#!/bin/sh\n",
    }
    for name, data in files.items():
        path = stack.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (stack.tree / "run.sh").chmod(0o750)
    (stack.directory / "cookiecutter.json").write_text(json.dumps(settings))
    hooks = stacks()["express"].directory / "hooks"
    (stack.directory / "hooks").symlink_to(hooks)
    return stack


@pytest.mark.parametrize("wanted", EVERY, ids=lambda wanted: wanted.id)
def test_every_variant_is_what_stock_makes(
    wanted: Variant, stock: Callable[[Variant], Path], tmp_path: Path
) -> None:
    render(wanted, tmp_path / "ours")
    assert snapshot(tmp_path / "ours") == snapshot(stock(wanted))


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mysql"])
@pytest.mark.parametrize("ci", ["github", "none"])
def test_oddities_are_what_stock_makes(
    tiny: Stack, database: str, ci: str, stock: Callable[[Variant], Path], tmp_path: Path
) -> None:
    wanted = variant(tiny, database=database, ci=ci, description="Größe & Söhne: C#, 100 %")
    ours = rendered(wanted, tmp_path / "ours")
    theirs = stock(wanted)
    assert snapshot(tmp_path / "ours") == snapshot(theirs)
    assert len(ours) == len(render(wanted, tmp_path / "counted"))
    assert ours["lock"] == {"sqlite": b"s sqlite", "postgresql": b"all", "mysql": b"m"}[database]
    assert ("only/sqlite/deep/x" in ours) == (database == "sqlite")
    for made in (tmp_path / "ours", theirs):
        assert (made / "only").exists() == (database != "mysql")
        assert (made / ".github").exists() == (ci == "github")


def test_the_stock_command_line_makes_the_same(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(tmp_path / "stock")]
    arguments = [str(ROOT), "--directory", "templates/flask", "database=mysql"]
    subprocess.run([*command, *arguments], env=environment, check=True)
    render(variant(stacks()["flask"], database="mysql"), tmp_path / "ours")
    assert snapshot(tmp_path / "ours") == snapshot(tmp_path / "stock" / "my-app")


def test_pytest_cookies_makes_the_same(cookies: object, tmp_path: Path) -> None:
    made = cookies.bake(template=str(stacks()["express"].directory))  # type: ignore[attr-defined]
    assert made.exception is None
    render(variant(stacks()["express"]), tmp_path / "ours")
    assert snapshot(tmp_path / "ours") == snapshot(made.project_path)


def test_the_stock_hook_refuses_a_bad_name(tiny: Stack, tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(tmp_path / "stock")]
    done = subprocess.run(
        [*command, str(tiny.directory), "project_slug=My Shop"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "The project_slug 'My Shop' cannot be used: use lowercase letters" in done.stderr
    assert list((tmp_path / "stock").iterdir()) == []


def test_leftovers_of_a_run_in_place_stay_out(tiny: Stack, tmp_path: Path) -> None:
    before = rendered(variant(tiny), tmp_path / "before")
    for name in (".env", "node_modules/x/y.js", "data/app.db", "app/__pycache__/x.pyc"):
        path = tiny.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("SECRET_KEYS=mine")
    (tiny.tree / "app" / "data").mkdir()
    (tiny.tree / "app" / "data" / "kept.txt").write_text("kept")
    after = rendered(variant(tiny), tmp_path / "after")
    assert after == before | {"app/data/kept.txt": b"kept"}


def test_a_template_that_fails_leaves_nothing(tiny: Stack, tmp_path: Path) -> None:
    (tiny.tree / "zz.txt").write_text("{{ cookiecutter.nothing }}")
    place = tmp_path / "place"
    with pytest.raises(Exception, match="nothing"):
        render(variant(tiny), place / "deep" / "app")
    assert not place.exists()


@pytest.mark.parametrize("taken", ["file", "full", "link"])
def test_what_is_there_is_never_touched(tiny: Stack, taken: str, tmp_path: Path) -> None:
    target = tmp_path / "place" / "app"
    target.parent.mkdir()
    if taken == "file":
        target.write_text("mine")
    elif taken == "full":
        target.mkdir()
        (target / "mine").touch()
    else:
        target.symlink_to(tmp_path / "elsewhere")
    before = os.lstat(target)
    with pytest.raises(TargetTaken):
        render(variant(tiny), target)
    assert os.lstat(target) == before
    assert list(target.parent.iterdir()) == [target]


def test_what_appears_meanwhile_is_never_touched(tiny: Stack, tmp_path: Path) -> None:
    target = tmp_path / "place" / "app"

    def appear() -> None:
        target.mkdir(exist_ok=True)
        (target / "mine").touch()

    with pytest.raises(CannotWrite):
        render(variant(tiny), target, appear)
    assert [path.name for path in target.parent.rglob("*")] == ["app", "mine"]


@pytest.mark.parametrize("stage", range(1, 16))
def test_stopping_at_any_file_leaves_nothing(tiny: Stack, stage: int, tmp_path: Path) -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == stage:
            raise Interrupted(signal.SIGINT)

    with pytest.raises(Interrupted):
        render(variant(tiny), tmp_path / "place" / "app", check)
    assert calls == stage
    assert not (tmp_path / "place").exists()


# Sends a signal to its own process when a function of the engine is called.
STOPPED = """
import importlib, os, runpy, sys
module, name = sys.argv.pop(1).split(":")
number = int(sys.argv.pop(1))
module = importlib.import_module(module)
original = getattr(module, name)
def stopped(*arguments):
    os.kill(os.getpid(), number)
    return original(*arguments)
setattr(module, name, stopped)
runpy.run_module("scaffold", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "stage", ["_refuse_taken", "_make_parents", "_write", "_files", "_pruning"]
)
def test_a_signal_leaves_nothing(stage: str, number: signal.Signals, tmp_path: Path) -> None:
    stop = [f"scaffold.render:{stage}", str(int(number))]
    command = [sys.executable, "-c", STOPPED, *stop, "new", "--stack=flask"]
    done = subprocess.run(
        [*command, "-o", "deep/er"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + number
    assert (done.stdout, done.stderr) == ("", "Interrupted: nothing was written.\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_before_anything_is_written_ends_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STOPPED, "scaffold.stacks:_templates", "2", "new"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert (done.stdout, done.stderr) == ("", "Interrupted: nothing was written.\n")


def test_a_signal_after_the_last_check_is_too_late(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STOPPED, "scaffold.render:_move", "2", "new", "--stack=flask"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "my-app" / ".scaffold.json").is_file()


@pytest.mark.parametrize("delay", [0.05, 0.08, 0.11, 0.14, 0.17, 0.2])
def test_ctrl_c_at_any_time_leaves_all_or_nothing(delay: float, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scaffold", "new", "--stack=express"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        process.wait(10)
    # Before our first line runs, the interpreter itself ends, by its own rules.
    assert process.returncode in {0, 1, 130, -signal.SIGINT}
    left = [path.name for path in tmp_path.iterdir()]
    assert left == (["my-app"] if process.returncode == 0 else [])
