"""The images each project builds: built, run locked down, held to the contract, looked into."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import DATABASES
from services import absent, private_directory

from scaffold.render import render
from scaffold.server import free_port
from scaffold.stacks import stacks
from scaffold.variants import variant

TOOLBOX = Path(__file__).parent / "docker"
STAND_INS = ("debian", "python313", "node24", "uv", "postgres17", "mariadb11", "valkey8")
LOCKED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp"]
LOCKED += ["--memory=512m", "--pids-limit=256"]
MIGRATE = {
    "flask": ["python", "-m", "app.commands", "migrate"],
    "express": ["node", "app/commands.ts", "migrate"],
}
# A line of each build that installs what the lock names.
INSTALLS = {"flask": "--require-hashes", "express": "npm ci"}
SOURCES = {"flask": "app/health.py", "express": "app/health.ts"}
# Package managers, compilers and fetchers that come from us, not from the base.
TOOLS = r"(usr/local/bin|srv/[^/]+/bin|\.bin)/"
TOOLS += r"(pip3?|npm|npx|yarn|corepack|uv|tsc|biome|ruff|mypy|pytest)$"
TESTS = r"srv/(tests|docs|deploy|\.git|\.github|Makefile|compose\.yaml|Dockerfile|\.env)"
SECRET = "in-no-layer-of-any-image-" + "x" * 16


class Engine:
    """A container engine, by its command line."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def __call__(self, *words: str, at: Path | None = None, ok: bool = True) -> str:
        done = subprocess.run(
            ["docker", *words],
            cwd=at,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0 or not ok, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The machine's engine, or a private one with stand-ins for the public images."""
    env = dict(os.environ)
    try:
        Engine(env)("info")
    except (AssertionError, FileNotFoundError):
        # Root's machine is not filled with packages by the way.
        if os.geteuid() != 0 or not {"CI", "OWN_ENGINE"} & env.keys():
            absent("no container engine answers; as root, make images starts one of its own")
    else:
        yield Engine(env)
        return
    script = str(TOOLBOX / "engine.sh")
    subprocess.run([script, "get"], check=True, timeout=900)
    # It lives in a group of its own; whatever becomes of this process, the end of a pipe ends it.
    last = subprocess.Popen(
        ["sh", "-c", f"cat; exec '{script}' stop"], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        subprocess.run([script, "start"], check=True, timeout=900)
        said = subprocess.run([script, "env"], capture_output=True, text=True, check=True).stdout
        for name, value in re.findall(r"(\w+)=(\S+)", said):
            env[name] = value.replace("$PATH", env["PATH"])
        subprocess.run([TOOLBOX / "standin.sh", *STAND_INS], env=env, check=True, timeout=1800)
        yield Engine(env)
    finally:
        last.communicate(timeout=120)


@dataclass(frozen=True)
class Image:
    stack: str
    name: str
    project: Path
    docker: Engine
    # What building it took, in seconds, and what it holds, in bytes.
    taken: float
    size: int


@contextmanager
def project(stack: str, database: str, slug: str) -> Iterator[Path]:
    with private_directory() as home:
        directory = home / slug
        render(variant(stacks()[stack], database=database, project_slug=slug), directory)
        (directory / ".env").write_text(f"SECRET_KEYS={SECRET}\n")
        if stack == "flask":
            (directory / "app" / "__pycache__").mkdir()
            (directory / "app" / "__pycache__" / "left.pyc").write_bytes(b"left")
        yield directory


@pytest.fixture(scope="module", params=list(stacks()))
def image(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Image]:
    slug = f"try-{request.param}-{secrets.token_hex(4)}"
    with project(request.param, "sqlite", slug) as directory:
        try:
            begun = time.monotonic()
            engine("build", "--tag", slug, ".", at=directory)
            taken = time.monotonic() - begun
            size = int(engine("image", "inspect", "--format={{.Size}}", slug))
            yield Image(request.param, slug, directory, engine, taken, size)
        finally:
            engine("image", "rm", "--force", slug, ok=False)


@pytest.fixture(scope="module")
def running(image: Image) -> Iterator[str]:
    """A container of the image alone, with SQLite."""
    docker, name = image.docker, f"{image.name}-run"
    base = f"http://127.0.0.1:{free_port()}"
    given = [word for key, value in tried(base).items() for word in ("--env", f"{key}={value}")]
    given += ["--volume", f"{name}:/srv/data", "--tmpfs", "/mails:mode=0700,uid=10001,gid=10001"]
    try:
        docker("run", "--rm", *LOCKED, *given, image.name, *MIGRATE[image.stack])
        docker("run", "--detach", *LOCKED, *given, "--name", name, image.name)
        until(lambda: docker("inspect", "--format={{.State.Health.Status}}", name), "healthy")
        yield name
    finally:
        docker("rm", "--force", name, ok=False)
        docker("volume", "rm", "--force", name, ok=False)


def until(ask: Callable[[], str], wanted: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while (said := ask().strip()) != wanted:
        assert time.monotonic() < end, f"{said}, not {wanted}, after {seconds} s"
        time.sleep(0.2)


def test_the_engine_has_nothing_to_say_of_the_file(image: Image) -> None:
    assert "no warnings found" in image.docker("build", "--check", ".", at=image.project)


def test_no_layer_holds_what_does_not_run(
    image: Image, record_property: Callable[[str, object], None]
) -> None:
    holds_only_the_app(image.docker, image.name)
    built = f"built in {image.taken:.0f} s, {image.size / 1e6:.0f} MB with its base"
    record_property("image", f"{image.stack} | {built}")


def test_it_runs_locked_down_and_ends_well(image: Image, running: str) -> None:
    is_locked(image.docker, running)
    ends_well(image.docker, running)


def test_a_change_of_one_source_installs_nothing_again(image: Image) -> None:
    source = image.project / SOURCES[image.stack]
    sign = "#" if source.suffix == ".py" else "//"
    source.write_text(source.read_text() + f"{sign} changed\n")
    said = image.docker("build", "--progress=plain", "--tag", image.name, ".", at=image.project)
    step = re.search(rf"^#(\d+) .*{INSTALLS[image.stack]}", said, re.MULTILINE)
    assert step, said
    assert f"#{step[1]} CACHED" in said, said


@pytest.mark.parametrize("stack", stacks())
def test_compose_brings_everything_up(stack: str, engine: Engine) -> None:
    """With each database, at once: most of it is waiting."""
    with ThreadPoolExecutor(len(DATABASES)) as pool:
        trials = {each: pool.submit(compose, stack, each, engine) for each in DATABASES}
    failed = {each: str(trial.exception()) for each, trial in trials.items() if trial.exception()}
    assert not failed, "\n".join(f"{stack} with {each}: {why}" for each, why in failed.items())


def compose(stack: str, database: str, engine: Engine) -> None:
    """Bring up a project as its own file says, and hold it to every promise."""
    slug = f"try-{stack}-{secrets.token_hex(4)}"
    with ExitStack() as after:
        directory = after.enter_context(project(stack, database, slug))
        beside = after.enter_context(private_directory())
        mails = given_to_the_app(beside / "mails")
        ports = {name: str(free_port()) for name in ("PORT", "DATABASE_PORT")}
        base = f"http://127.0.0.1:{ports['PORT']}"
        app: dict[str, Any] = {"environment": tried(base)}
        if mails:
            app["volumes"] = [f"{mails}:/mails"]
        else:
            app["environment"]["MAIL_URL"] = "file:/tmp/mails"
        (beside / "tried.json").write_text(json.dumps({"services": {"app": app}}))
        docker = Engine({**engine.env, **ports})
        words = ["compose", "--file=compose.yaml", f"--file={beside / 'tried.json'}"]
        after.callback(docker, "image", "rm", "--force", f"{slug}:latest", ok=False)
        down = [*words, "down", "--volumes", "--timeout=30"]
        after.callback(docker, *down, at=directory, ok=False)
        try:
            docker(*words, "up", "--build", "--wait", "--wait-timeout=300", at=directory)
            holds_only_the_app(docker, f"{slug}:latest")
            ready = httpx.get(f"{base}/readyz").json()
            assert ready == {"status": "ok", "checks": {"database": "ok", "valkey": "ok"}}
            container = docker(*words, "ps", "--quiet", "app", at=directory).strip()
            is_locked(docker, container)
            verify(base, mails)
            ends_well(docker, container)
        except AssertionError as error:
            logs = docker(*words, "logs", "--tail=30", at=directory, ok=False)
            raise AssertionError(f"{error}\n{logs}") from error


def given_to_the_app(directory: Path) -> Path | None:
    """Only root can make one for the app's user, and read in it; others try what needs no mails."""
    if os.geteuid() != 0:
        return None
    directory.mkdir(mode=0o700)
    os.chown(directory, 10001, 10001)
    return directory


def tried(base: str) -> dict[str, str]:
    """Settings of an app that is held to the contract."""
    settings = {"APP_ENV": "production", "SECRET_KEYS": secrets.token_hex(32), "PUBLIC_URL": base}
    settings |= {"MAIL_URL": "file:/mails", "METRICS_TOKEN": "verify", "WEB_CONCURRENCY": "1"}
    return settings | dict.fromkeys(("RATE_LIMIT", "RATE_LIMIT_AUTH"), "100000/minute")


def verify(base: str, mails: Path | None) -> None:
    """Hold a running app to the contract, by the command its users have."""
    command = [sys.executable, "-m", "scaffold", "verify", "--url", base, "--wait", "30"]
    done = subprocess.run(
        [*command, *(["--mail-dir", str(mails)] if mails else [])],
        env={**os.environ, "SCAFFOLD_METRICS_TOKEN": "verify"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    told = re.sub(r"^  (kept|not tried) .*\n(^ {6}.*\n)*", "", done.stdout, flags=re.MULTILINE)
    assert done.returncode == 0, told + done.stderr[-2000:]


def holds_only_the_app(docker: Engine, image: str) -> None:
    """Neither the files nor the history have a secret, a tool or a test."""
    assert SECRET not in docker("history", "--no-trunc", "--format={{.CreatedBy}}", image)
    container = docker("create", image).strip()
    try:
        command = ["docker", "export", container]
        with subprocess.Popen(command, env=docker.env, stdout=subprocess.PIPE) as export:
            listed = subprocess.run(
                ["tar", "-t"], stdin=export.stdout, capture_output=True, text=True, check=True
            ).stdout.splitlines()
        command = ["docker", "cp", f"{container}:/srv", "-"]
        held = subprocess.run(command, env=docker.env, capture_output=True, check=True)
    finally:
        docker("rm", "--force", container, ok=False)
    assert [name for name in listed if re.search(TOOLS, name)] == []
    assert [name for name in listed if re.match(TESTS, name)] == []
    assert [name for name in listed if name.startswith("srv/app/") and name.endswith(".pyc")] == []
    assert "srv/app/data/passwords.txt" in listed
    assert b"passwords.txt" in held.stdout
    assert SECRET.encode() not in held.stdout


def is_locked(docker: Engine, container: str) -> None:
    """Nobody in particular, without capabilities, on a file system it cannot write to."""
    said = json.loads(docker("inspect", container))[0]
    assert said["Config"]["User"] == "10001:10001"
    assert said["HostConfig"]["ReadonlyRootfs"]
    status = docker("exec", container, "cat", "/proc/1/status")
    assert re.search(r"^CapEff:\s0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE)
    refused = docker("exec", container, "touch", "/srv/app/new", ok=False)
    assert "Read-only file system" in refused


def ends_well(docker: Engine, container: str) -> None:
    """Told to end, it ends by itself, with 0."""
    begun = time.monotonic()
    docker("stop", "--timeout", "30", container)
    assert time.monotonic() - begun < 25
    assert docker("inspect", "--format={{.State.ExitCode}}", container).strip() == "0"
    assert "Traceback" not in docker("logs", container)
