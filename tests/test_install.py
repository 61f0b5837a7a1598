"""`--install`: what was made is tried at once, and what fails or is stopped leaves no half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from environments import node_directory
from test_cli import scaffold
from test_scripts import held

# A project whose make does what a test wants.
MAKE = """#!/bin/sh
for word; do :; done
case $word in
--version) echo GNU Make 4.3; exit ;;
install) mkdir .venv && touch .venv/half ;;
.env) echo SECRET_KEYS=x >.env ;;
migrate) mkdir -p data && touch data/app.db ;;
esac
{more}
"""


def fake(tmp_path: Path, more: str) -> dict[str, str]:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "make").write_text(MAKE.format(more=more))
    (tools / "make").chmod(0o755)
    (tmp_path / "place").mkdir()
    return {"PATH": f"{tools}:{os.environ['PATH']}"}


@pytest.mark.parametrize("stack", ["flask", "express"])
def test_a_project_is_installed_started_asked_and_stopped(stack: str, tmp_path: Path) -> None:
    path = f"{node_directory()}:{os.environ['PATH']}"
    done = scaffold(
        *("new", "shop", "--stack", stack, "--no-git", "--install", "--json"),
        cwd=tmp_path,
        timeout=400,
        PATH=path,
    )
    assert done.returncode == 0, done.stderr
    tried = held("new", done.stdout)["install"]
    steps = [step["step"] for step in tried["steps"]]
    assert steps[:3] == ["make install", "make .env", "make migrate"]
    assert steps[3].split()[-1].startswith("server.")
    assert steps[4:] == ["SIGTERM"]
    assert tried["answer"]["status"] == 200
    assert '"database":"ok"' in tried["answer"]["body"].replace(" ", "")
    for step in ("make install", "make .env", "make migrate", "GET /readyz: 200"):
        assert step in done.stderr
    assert (tmp_path / "shop" / ".env").is_file()
    assert (tmp_path / "shop" / "data" / "app.db").is_file()
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False)
    assert left.stdout == b""


@pytest.mark.parametrize(
    ("step", "kept"),
    [("install", set()), (".env", {".venv"}), ("migrate", {".venv", ".env"})],
)
def test_a_step_that_fails_is_told_and_taken_back(
    step: str, kept: set[str], tmp_path: Path
) -> None:
    more = f'[ "$word" = {step} ] && {{ echo "no such luck" >&2; exit 2; }}; exit 0'
    env = fake(tmp_path, more)
    place = tmp_path / "place"
    asked = ["new", "shop", "--stack", "flask", "--no-git", "--install"]
    done = scaffold(*asked, cwd=place, **env)
    assert done.returncode == 3
    assert "no such luck" in done.stderr
    assert f"make {step}" in done.stderr.splitlines()[-2]
    assert "Made shop" in done.stdout
    assert done.stdout.endswith("cd shop\n  make setup\n  make dev\n")
    scratch = {".venv", ".env", "data"}
    assert {path.name for path in (place / "shop").iterdir()} & scratch == kept
    told = held("new", scaffold(*asked, "-o", "json", "--json", cwd=place, **env).stdout)
    assert told["install"]["steps"][-1]["failure"] == "no such luck"
    assert told["install"]["answer"] is None


def test_what_a_step_failed_for_is_named(tmp_path: Path) -> None:
    """Without make the doctor says so, and how to get it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    place = tmp_path / "place"
    place.mkdir()
    asked = ["new", "shop", "--stack", "flask", "--no-git", "--install", "--json"]
    done = scaffold(*asked, cwd=place, PATH=str(tools))
    assert done.returncode == 3
    (lack,) = held("new", done.stdout)["install"]["lacks"]
    assert (lack["name"], lack["status"]) == ("make", "missing")
    assert "make" in lack["how_to_get"]
    assert "get it: " in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["install", ".env", "migrate"])
def test_a_signal_ends_a_step_and_all_it_started(
    step: str, number: signal.Signals, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    more = f'[ "$word" = {step} ] && {{ sleep 987 & echo $! >{ready}; sleep 986; }}; exit 0'
    env = os.environ | fake(tmp_path, more)
    place = tmp_path / "place"
    command = [sys.executable, "-m", "scaffold", "new", "shop", "--stack", "flask", "--no-git"]
    with subprocess.Popen(
        [*command, "--install"], cwd=place, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        wait(lambda: ready.exists() and ready.read_text().strip() != "", "the step begins")
        process.send_signal(number)
        assert process.wait(20) == 128 + number
        assert process.stderr is not None
        last = process.stderr.read().splitlines()[-1]
    assert last.startswith("Interrupted: shop is made, and as it was before this step")
    child = int(ready.read_text())
    wait(lambda: not Path(f"/proc/{child}").exists() or zombie(child), "the child is gone")
    before = {"install": set(), ".env": {".venv"}, "migrate": {".venv", ".env"}}[step]
    found = {path.name for path in (place / "shop").iterdir()}
    assert found & {".venv", ".env", "data"} == before
    assert (place / "shop" / ".scaffold.json").is_file()


def test_a_signal_while_the_app_starts_stops_it(tmp_path: Path) -> None:
    more = (
        '[ "$word" = migrate ] && { mkdir -p .venv/bin; '
        'printf "#!/bin/sh\\necho \\$\\$ >pid; exec sleep 987\\n" >.venv/bin/python; '
        "chmod +x .venv/bin/python; }; exit 0"
    )
    env = os.environ | fake(tmp_path, more)
    place = tmp_path / "place"
    command = [sys.executable, "-m", "scaffold", "new", "shop", "--stack", "flask", "--no-git"]
    pid = place / "shop" / "pid"
    with subprocess.Popen(
        [*command, "--install"], cwd=place, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        wait(lambda: pid.exists() and pid.read_text().strip() != "", "the app starts")
        server = int(pid.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    wait(lambda: not Path(f"/proc/{server}").exists() or zombie(server), "the server is gone")


def zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def wait(is_so: object, what: str) -> None:
    end = time.monotonic() + 30
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.02)
