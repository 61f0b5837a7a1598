"""Completion: really done by the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest
import services
from test_cli import scaffold

from scaffold.completion import KEPT, script
from scaffold.pages import SHELLS

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
compopt() { :; }
_scaffold scaffold "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        done = scaffold("completion", shell, cwd=place)
        assert (done.returncode, done.stderr) == (0, "")
        (place / shell).write_text(done.stdout, encoding="utf-8")
    (place / "answers.toml").touch()
    (place / "folder").mkdir()
    return place


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(cwd), "TERM": "xterm"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def bash(scripts: Path, *words: str) -> set[str]:
    out = run("bash", "--norc", "-c", BASH, "bash", scripts / "bash", *words, cwd=scripts)
    return set(out.split())


def fish(scripts: Path, *words: str) -> set[str]:
    line = " ".join(words[:-1]) + f" {words[-1]}"
    code = f"source {scripts / 'fish'}; complete --do-complete '{line}'"
    out = run("fish", "--no-config", "-c", code, cwd=scripts)
    return {row.split("\t")[0] for row in out.splitlines()}


CASES = [
    (["scaffold", "n"], {"new"}),
    (["scaffold", "d"], {"doctor"}),
    (["scaffold", "new", "--stack", ""], {"flask", "express"}),
    (["scaffold", "new", "--stack", "f"], {"flask"}),
    (["scaffold", "new", "--database", "p"], {"postgresql"}),
    (["scaffold", "new", "--dat"], {"--database"}),
    (["scaffold", "new", "--no-g"], {"--no-git"}),
    (["scaffold", "variants", "--set", "p"], {"pairs"}),
    (["scaffold", "completion", "z"], {"zsh"}),
]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_kept_is_what_the_commands_say(shell: str) -> None:
    kept = (KEPT / f"{shell}.txt").read_text(encoding="utf-8")
    assert kept == script(shell), "write them anew: python -m scaffold.completion"


@pytest.mark.parametrize(("words", "expected"), CASES)
def test_bash_completes(words: list[str], expected: set[str], scripts: Path) -> None:
    assert bash(scripts, *words) == expected


def test_bash_completes_files_and_after_an_equals_sign(scripts: Path) -> None:
    assert bash(scripts, "scaffold", "new", "--answers", "ans") == {"answers.toml"}
    assert bash(scripts, "scaffold", "new", "-o", "fol") == {"folder"}
    assert bash(scripts, "scaffold", "new", "--ci", "=", "gith") == {"github"}
    assert {"--stack", "--dry-run", "--help"} <= bash(scripts, "scaffold", "new", "-")
    assert bash(scripts, "scaffold", "new", "--description", "") == set()


@pytest.mark.parametrize(("words", "expected"), CASES)
def test_fish_completes(words: list[str], expected: set[str], scripts: Path) -> None:
    if not shutil.which("fish"):
        services.absent("fish")
    assert fish(scripts, *words) == expected


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("scaffold doc", "scaffold doctor "),
        ("scaffold new --stack f", "scaffold new --stack flask "),
        ("scaffold new --no-g", "scaffold new --no-git "),
        ("scaffold new --answers ans", "scaffold new --answers answers.toml "),
        ("scaffold completion z", "scaffold completion zsh "),
    ],
)
def test_zsh_completes(typed: str, completed: str, scripts: Path) -> None:
    if not shutil.which("zsh"):
        services.absent("zsh")
    # It completes in its line editor alone.
    shell = pexpect.spawn(
        "zsh", ["-f", "-i"], cwd=scripts, encoding="utf-8", timeout=20, dimensions=(24, 200)
    )
    try:
        shell.sendline("PS1='ready '; bindkey '^I' complete-word")
        shell.sendline(f"autoload -Uz compinit && compinit -u -D && source {scripts / 'zsh'}")
        # A key of ours shows the line instead of running it.
        shell.sendline('told() { print -r -- "<$BUFFER>"; BUFFER=; zle accept-line }')
        shell.sendline("zle -N told && bindkey '^X' told && print loaded-$((1 + 1))")
        shell.expect("loaded-2")
        shell.send(f"{typed}\t\x18")
        shell.expect(r"<(scaffold[^>]*)>")
        assert shell.match[1] == completed
    finally:
        shell.close(force=True)
