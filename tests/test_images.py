"""The images each project builds: built, run locked down, held to the contract, looked into.

Not part of the suite: `make images` runs it, with an engine of its own where there is none.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from conftest import DATABASES
from services import absent, private_directory

from scaffold.render import render
from scaffold.server import free_port
from scaffold.stacks import stacks
from scaffold.variants import variant

HERE = Path(__file__).parent
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
COMPOSED = [(name, database) for name in stacks() for database in DATABASES]


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
        if os.geteuid() != 0:
            absent("no container engine answers, and only root can start one")
    else:
        yield Engine(env)
        return
    script = str(HERE / "engine.sh")
    for word in ("get", "start"):
        subprocess.run([script, word], check=True, timeout=900)
    try:
        said = subprocess.run([script, "env"], capture_output=True, text=True, check=True).stdout
        for name, value in re.findall(r"(\w+)=(\S+)", said):
            env[name] = value.replace("$PATH", env["PATH"])
        subprocess.run([HERE / "standin.sh"], env=env, check=True, timeout=1800)
        yield Engine(env)
    finally:
        subprocess.run([script, "stop"], check=False, timeout=120)


@dataclass(frozen=True)
class Image:
    stack: str
    name: str
    project: Path
    docker: Engine

    def layers(self) -> list[str]:
        return self.docker("history", "--no-trunc", "--format={{.CreatedBy}}", self.name).split(
            "\n"
        )


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
        made = Image(request.param, slug, directory, engine)
        try:
            begun = time.monotonic()
            engine("build", "--tag", slug, ".", at=directory)
            size = int(engine("image", "inspect", "--format={{.Size}}", slug))
            taken = time.monotonic() - begun
            sys.stderr.write(f"\n{request.param}: built in {taken:.0f} s, {size / 1e6:.0f} MB\n")
            yield made
        finally:
            engine("image", "rm", "--force", slug, ok=False)


@dataclass(frozen=True)
class Running:
    name: str
    base: str
    mails: Path


@pytest.fixture(scope="module")
def running(image: Image) -> Iterator[Running]:
    docker, port, name = image.docker, free_port(), f"{image.name}-run"
    base = f"http://127.0.0.1:{port}"
    given = [word for key, value in tried(base).items() for word in ("--env", f"{key}={value}")]
    with private_directory() as mails:
        os.chown(mails, 10001, 10001)
        given += ["--volume", f"{name}:/srv/data", "--volume", f"{mails}:/mails"]
        docker("run", "--rm", *LOCKED, *given, image.name, *MIGRATE[image.stack])
        place = ["--publish", f"127.0.0.1:{port}:8000", "--name", name]
        docker("run", "--detach", *LOCKED, *given, *place, image.name)
        try:
            until(lambda: docker("inspect", "--format={{.State.Health.Status}}", name), "healthy")
            yield Running(name, base, mails)
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


def test_no_layer_holds_what_does_not_run(image: Image) -> None:
    said = "\n".join(image.layers())
    assert SECRET not in said
    container = image.docker("create", image.name).strip()
    try:
        command = ["docker", "export", container]
        with subprocess.Popen(command, env=image.docker.env, stdout=subprocess.PIPE) as export:
            listed = subprocess.run(
                ["tar", "-t"], stdin=export.stdout, capture_output=True, text=True, check=True
            ).stdout.splitlines()
        command = ["docker", "cp", f"{container}:/srv", "-"]
        held = subprocess.run(command, env=image.docker.env, capture_output=True, check=True)
    finally:
        image.docker("rm", "--force", container, ok=False)
    assert [name for name in listed if re.search(TOOLS, name)] == []
    assert [name for name in listed if re.match(TESTS, name)] == []
    assert [name for name in listed if name.startswith("srv/app/") and name.endswith(".pyc")] == []
    assert "srv/app/data/passwords.txt" in listed
    assert b"passwords.txt" in held.stdout
    assert SECRET.encode() not in held.stdout


def test_it_runs_as_nobody_in_particular(image: Image, running: Running) -> None:
    said = json.loads(image.docker("inspect", running.name))[0]
    assert said["Config"]["User"] == "10001:10001"
    assert said["HostConfig"]["ReadonlyRootfs"]
    status = image.docker("exec", running.name, "cat", "/proc/1/status")
    assert re.search(r"^CapEff:\s0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE)
    refused = image.docker("exec", running.name, "touch", "/srv/app/new", ok=False)
    assert "Read-only file system" in refused


def test_it_keeps_the_contract(running: Running) -> None:
    verify(running.base, running.mails)


def test_it_ends_well_when_it_is_told_to(image: Image, running: Running) -> None:
    ends_well(image.docker, running.name)


def test_a_change_of_one_source_installs_nothing_again(image: Image) -> None:
    source = image.project / SOURCES[image.stack]
    sign = "#" if source.suffix == ".py" else "//"
    source.write_text(source.read_text() + f"{sign} changed\n")
    said = image.docker("build", "--progress=plain", "--tag", image.name, ".", at=image.project)
    step = re.search(rf"^#(\d+) .*{INSTALLS[image.stack]}", said, re.MULTILINE)
    assert step, said
    assert f"#{step[1]} CACHED" in said, said


@pytest.mark.parametrize(("stack", "database"), COMPOSED)
def test_compose_brings_everything_up(stack: str, database: str, engine: Engine) -> None:
    slug = f"try-{stack}-{secrets.token_hex(4)}"
    with project(stack, database, slug) as directory, private_directory() as beside:
        mails = beside / "mails"
        mails.mkdir()
        os.chown(mails, 10001, 10001)
        ports = {name: str(free_port()) for name in ("PORT", "DATABASE_PORT")}
        base = f"http://127.0.0.1:{ports['PORT']}"
        app = {"environment": tried(base), "volumes": [f"{mails}:/mails"]}
        (beside / "tried.json").write_text(json.dumps({"services": {"app": app}}))
        docker = Engine({**engine.env, **ports})
        compose = ["compose", "--file=compose.yaml", f"--file={beside / 'tried.json'}"]
        try:
            docker(*compose, "up", "--build", "--wait", "--wait-timeout=300", at=directory)
            ready = httpx.get(f"{base}/readyz").json()
            assert ready == {"status": "ok", "checks": {"database": "ok", "valkey": "ok"}}
            verify(base, mails)
            container = docker(*compose, "ps", "--quiet", "app", at=directory).strip()
            ends_well(docker, container)
        except AssertionError:
            sys.stderr.write(docker(*compose, "logs", "--tail=30", at=directory, ok=False))
            raise
        finally:
            docker(*compose, "down", "--volumes", "--timeout=30", at=directory, ok=False)
            docker("image", "rm", "--force", f"{slug}:latest", ok=False)


def tried(base: str) -> dict[str, str]:
    """Settings of an app that is held to the contract."""
    settings = {"APP_ENV": "production", "SECRET_KEYS": secrets.token_hex(32), "PUBLIC_URL": base}
    settings |= {"MAIL_URL": "file:/mails", "METRICS_TOKEN": "verify", "WEB_CONCURRENCY": "1"}
    return settings | dict.fromkeys(("RATE_LIMIT", "RATE_LIMIT_AUTH"), "100000/minute")


def verify(base: str, mails: Path) -> None:
    """Hold a running app to the contract, by the command its users have."""
    command = [sys.executable, "-m", "scaffold", "verify", "--url", base, "--wait", "30"]
    done = subprocess.run(
        [*command, "--mail-dir", str(mails)],
        env={**os.environ, "SCAFFOLD_METRICS_TOKEN": "verify"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def ends_well(docker: Engine, container: str) -> None:
    """Told to end, it ends by itself, with 0."""
    begun = time.monotonic()
    docker("stop", "--timeout", "30", container)
    assert time.monotonic() - begun < 25
    assert docker("inspect", "--format={{.State.ExitCode}}", container).strip() == "0"
    assert "Traceback" not in docker("logs", container)
