"""What a CI service does with the file a project ships: step by step, without secrets."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import services
import yaml
from environments import node_directory
from services import private_directory

# How the machine reaches its package registries is not the project's matter: it stays.
REGISTRIES = ("PIP_", "NPM_CONFIG_", "npm_config_", "SSL_", "NODE_EXTRA_", "REQUESTS_")
REGISTRIES += ("HTTP_", "HTTPS_", "NO_", "http_", "https_", "no_")
# Nobody has set anything yet: what stands behind `if` in a new repository.
CONDITIONS = {"vars.SCAFFOLD != ''": False}
DOCKER = """#!/bin/sh
# Stands in for the engine of the service: what it builds is tried elsewhere.
[ "$1" = build ] && [ -f Dockerfile ] || exit 64
echo "$@" >>"$DOCKER_CALLS"
"""


@dataclass(frozen=True)
class Step:
    script: str
    env: dict[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """What one machine, or container, of the service is given to do."""

    name: str
    shell: list[str]
    steps: list[Step]
    # What its actions or its image bring: python, node.
    tools: set[str]
    env: dict[str, str]
    # Image of the database, and its settings.
    database: tuple[str, dict[str, str]] | None = None


class Unknown(AssertionError):
    """Something the service would do and nobody does here."""


def github(source: str) -> Iterator[Job]:
    """Read a workflow the way GitHub does; a missing shell means `bash -e`."""
    document = yaml.safe_load(source)
    _only(document, {"name", True, "permissions", "concurrency", "jobs"})
    for name, job in document["jobs"].items():
        _only(job, {"runs-on", "timeout-minutes", "env", "services", "steps"})
        tools: set[str] = set()
        steps = [step for each in job["steps"] for step in _github_step(each, tools)]
        service = job.get("services", {}).get("database")
        database = (service["image"], _texts(service["env"])) if service else None
        yield Job(name, ["bash", "-e"], steps, tools, _texts(job.get("env", {})), database)


def _github_step(step: dict[str, Any], tools: set[str]) -> Iterator[Step]:
    _only(step, {"uses", "with", "run", "if", "env", "name"})
    if "if" in step and not _holds(step["if"]):
        return
    if "uses" in step:
        action, _, version = step["uses"].partition("@")
        if len(version) != 40:
            raise Unknown(f"{step['uses']} is not pinned to a commit")
        brings = {
            "actions/checkout": "",
            "actions/setup-python": "python",
            "actions/setup-node": "node",
        }
        if action not in brings:
            raise Unknown(action)
        tools |= {brings[action]} - {""}
        return
    if "${{" in step["run"]:
        raise Unknown(step["run"])
    yield Step(step["run"], _texts(step.get("env", {})))


def _holds(condition: str) -> bool:
    if condition not in CONDITIONS:
        raise Unknown(condition)
    return CONDITIONS[condition]


def gitlab(source: str) -> Iterator[Job]:
    """Read a pipeline the way GitLab does: all lines of a job in one shell."""
    document = yaml.safe_load(source)
    default = document.pop("default")
    document.pop("workflow")
    _only(default, {"image", "timeout", "interruptible"})
    brings = {"python": "python", "node": "node"}
    for name, job in document.items():
        _only(job, {"stage", "services", "variables", "script"})
        image = default["image"].partition(":")[0]
        if image not in brings:
            raise Unknown(image)
        variables = _texts(job.get("variables", {}))
        database = None
        for service in job.get("services", ()):
            if service["alias"] != "database" or database:
                raise Unknown(str(service))
            database = (service["name"], variables)
        step = Step("\n".join(job["script"]))
        yield Job(name, ["bash", "-eo", "pipefail"], [step], {brings[image]}, variables, database)


def _only(found: dict[Any, Any], known: set[Any]) -> None:
    if set(found) - known:
        raise Unknown(str(set(found) - known))


def _texts(found: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in found.items()}


def run(job: Job, project: Path, calls: Path) -> str:
    """Run a job on a clone of the project; return what it said, AssertionError when it is red."""
    said = ""
    with private_directory() as machine, _database(job) as place:
        clone = machine / "clone"
        subprocess.run(["git", "clone", "--quiet", project, clone], check=True)
        env = {**_machine(machine, job), **place, "DOCKER_CALLS": str(calls)}
        for step in job.steps:
            done = subprocess.run(
                [*job.shell, "-c", step.script],
                cwd=clone,
                env={**env, **step.env},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            said += done.stdout + done.stderr
            assert done.returncode == 0, f"{job.name}: {step.script}\n{said[-4000:]}"
        left = _git(clone, "status", "--porcelain")
        assert left == "", f"{job.name} leaves changes that git sees:\n{left}"
    return said


def commit(project: Path) -> None:
    """Make the first commit: what .gitignore names stays behind."""
    _git(project, "init", "--quiet", "--initial-branch=main")
    _git(project, "add", "--all")
    _git(project, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "First")


def _git(directory: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=directory, capture_output=True, text=True, check=True
    )
    return done.stdout


def _machine(home: Path, job: Job) -> dict[str, str]:
    """Bare tools, and those the job asked for: nothing of our environment."""
    tools = home / "tools"
    tools.mkdir()
    if "python" in job.tools:
        base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
        for name in ("python", "python3"):
            (tools / name).symlink_to(base)
    if "node" in job.tools:
        for path in node_directory().iterdir():
            (tools / path.name).symlink_to(path)
    (tools / "docker").write_text(DOCKER)
    (tools / "docker").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name.startswith(REGISTRIES)}
    path = os.pathsep.join([str(tools), "/usr/bin", "/bin"])
    home_of_user = os.environ.get("HOME", str(home))
    return {**kept, **job.env, "PATH": path, "HOME": home_of_user, "CI": "true", "LANG": "C.UTF-8"}


@contextmanager
def _database(job: Job) -> Iterator[dict[str, str]]:
    """The service container, and DATABASE_URL with the address it really has."""
    if job.database is None:
        yield {}
        return
    image, settings = job.database
    kind = image.partition(":")[0]
    starts: dict[str, Callable[[dict[str, str]], Any]] = {
        "postgres": _postgresql,
        "mariadb": _mariadb,
    }
    if kind not in starts:
        raise Unknown(image)
    with starts[kind](settings) as port:
        url = urlsplit(job.env["DATABASE_URL"])
        place = f"{url.username}:{url.password}@127.0.0.1:{port}"
        yield {"DATABASE_URL": url._replace(netloc=place).geturl()}


@contextmanager
def _postgresql(settings: dict[str, str]) -> Iterator[int]:
    """As the official image: the user is a superuser and has a database."""
    user, password, name = (settings[f"POSTGRES_{key}"] for key in ("USER", "PASSWORD", "DB"))
    with services.postgresql() as server:
        url = server.fresh()
        server.sql(url, f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'")
        server.sql(url, f"CREATE DATABASE {name} OWNER {user}")
        yield urlsplit(url).port or 0


@contextmanager
def _mariadb(settings: dict[str, str]) -> Iterator[int]:
    """As the official image: the user may do everything in the one database, nothing else."""
    user, password, name = (settings[f"MARIADB_{key}"] for key in ("USER", "PASSWORD", "DATABASE"))
    statements = [
        f"CREATE DATABASE {name};",
        f"CREATE USER {user}@'%' IDENTIFIED BY '{password}';",
        f"GRANT ALL ON {name}.* TO {user}@'%';",
    ]
    with private_directory(services.unprivileged()) as directory:
        init = directory / "init.sql"
        init.write_text("\n".join(statements) + "\n")
        init.chmod(0o644)
        with services.mysql(f"--init-file={init}") as server:
            yield urlsplit(server._server).port or 0


def words(calls: Path) -> list[list[str]]:
    """The commands that were given to the engine."""
    return [shlex.split(line) for line in calls.read_text().splitlines()] if calls.exists() else []
