"""The first commit: the user's own, complete, or said why not."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from test_cli import scaffold
from test_scripts import held

ME = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com"}
ME |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com"}
# Neither the settings of whoever runs the tests, nor those of the machine.
ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nowhere"}
NEW = ["new", "shop", "--stack", "express"]


def git(*words: str, cwd: Path, **extra: str) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=cwd,
        env=os.environ | ALONE | ME | extra,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_commit_is_the_users_and_complete(tmp_path: Path) -> None:
    done = scaffold(*NEW, "--json", cwd=tmp_path, **ALONE, **ME)
    told = held("new", done.stdout)
    shop = tmp_path / "shop"
    assert git("log", "--format=%an %ae %s", cwd=shop) == (
        "Ada ada@example.com Start from express-sqlite-github\n"
    )
    assert told["git"] == {"commit": git("log", "--format=%h", cwd=shop).strip(), "reason": None}
    assert git("status", "--porcelain", "--ignored", cwd=shop) == ""
    assert git("branch", "--show-current", cwd=shop) == "main\n"
    listed = git("ls-files", "-z", cwd=shop).rstrip("\0").split("\0")
    assert listed == sorted(file["path"] for file in told["files"])


def test_the_users_own_branch_name_counts(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[user]\nname = Bo\nemail = bo@example.com\n[init]\ndefaultBranch = trunk\n")
    place = tmp_path / "place"
    place.mkdir()
    env = ALONE | {"GIT_CONFIG_GLOBAL": str(config)}
    assert "Committed as" in scaffold(*NEW, cwd=place, **env).stdout
    assert git("branch", "--show-current", cwd=place / "shop") == "trunk\n"
    assert git("log", "--format=%ae", cwd=place / "shop") == "bo@example.com\n"


def refused(told: str, tmp_path: Path, *more: str, **env: str) -> None:
    done = scaffold(*NEW, *more, cwd=tmp_path, **(ALONE | env))
    assert (done.returncode, done.stderr) == (0, "")
    assert told in " ".join(done.stdout.split()), done.stdout
    assert not (tmp_path / "shop" / ".git").exists()
    assert (tmp_path / "shop" / ".scaffold.json").is_file()


def test_without_an_identity_nothing_is_made_up(tmp_path: Path) -> None:
    refused("Not committed: git does not know who you are: git config", tmp_path)


def test_without_git_it_goes_on(tmp_path: Path) -> None:
    refused("Not committed: git is not installed", tmp_path, PATH=str(tmp_path / "nothing"))


def test_a_commit_that_fails_leaves_no_repository(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[core]\nhooksPath = {hooks}\n")
    place = tmp_path / "place"
    place.mkdir()
    told = "Not committed: git commit failed: not today."
    refused(told, place, **ME, GIT_CONFIG_GLOBAL=str(config))


def test_inside_another_repository_it_is_left_to_that(tmp_path: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    refused(f"inside the repository {tmp_path}", tmp_path, **ME)
    assert git("status", "--porcelain", cwd=tmp_path) == "?? shop/\n"


def test_inside_another_repository_git_can_be_demanded(tmp_path: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    assert "Committed" in scaffold(*NEW, "--git", cwd=tmp_path, **ALONE, **ME).stdout


def test_what_another_repository_ignores_is_on_its_own(tmp_path: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    (tmp_path / ".gitignore").write_text("shop\n")
    assert "Committed" in scaffold(*NEW, cwd=tmp_path, **ALONE, **ME).stdout


def test_a_calling_repository_is_not_written_to(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git("init", "-q", cwd=other)
    before = sorted(path for path in other.rglob("*"))
    hook = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    hook |= {"GIT_INDEX_FILE": str(other / ".git" / "index")}
    place = tmp_path / "place"
    place.mkdir()
    assert "Committed" in scaffold(*NEW, cwd=place, **ALONE, **ME, **hook).stdout
    assert sorted(path for path in other.rglob("*")) == before


def test_a_repository_that_waits_for_files_is_left_to_its_owner(tmp_path: Path) -> None:
    git("init", "-q", cwd=tmp_path)
    done = scaffold("new", ".", "--stack", "flask", cwd=tmp_path, **ALONE, **ME)
    assert "Not committed: the repository here is yours" in done.stdout
    assert (tmp_path / ".scaffold.json").is_file()
    assert git("log", "--all", "--format=%h", cwd=tmp_path) == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("word", ["config", "init", "add", "commit"])
def test_a_signal_during_the_commit_leaves_nothing(
    word: str, number: signal.Signals, tmp_path: Path
) -> None:
    """Our git tells the terminal's whole group, or only us, and then takes its time."""
    tools = tmp_path / "tools"
    tools.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout
    fake = f'for each; do [ "$each" = {word} ] && kill -{number.name[3:]} $PPID && sleep 5; done\n'
    (tools / "git").write_text(f'#!/bin/sh\n{fake}exec {real.strip()} "$@"\n')
    (tools / "git").chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    env = ALONE | ME | {"PATH": f"{tools}:{os.environ['PATH']}"}
    done = scaffold(*NEW, "-o", "deep/er", cwd=place, **env)
    assert done.returncode == 128 + number
    assert (done.stdout, done.stderr) == ("", "Interrupted: nothing was written.\n")
    assert list(place.iterdir()) == []
