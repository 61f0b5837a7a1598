"""What this machine has and lacks: found or not, needed for what, how to get it."""

from __future__ import annotations

import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scaffold import terminal

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PYTHON, NODE = (3, 11), (24, 0)
ROOM = 1_000_000_000
OK, MISSING, ABSENT = "ok", "missing", "absent"
EVERY = ("flask", "express")


class Finding:
    """One thing: how it stands (ok, missing, or absent and not needed), and what to do."""

    def __init__(self, name: str, stands: str, found: str, purpose: str, get: str) -> None:
        self.name, self.stands, self.found = name, stands, found
        self.purpose, self.get = purpose, get

    def document(self) -> dict[str, Any]:
        """As in doctor.schema.json."""
        return {
            "name": self.name,
            "status": self.stands,
            "found": self.found or None,
            "needed_for": self.purpose,
            "how_to_get": None if self.stands == OK else self.get,
        }


def look(stacks: Iterable[str], place: Path = Path()) -> list[Finding]:
    """Every finding that matters for projects of these stacks, made in `place`."""
    wanted = set(stacks)
    return [find(name, place) for name, (of, _) in CHECKS.items() if wanted & set(of)]


def find(name: str, place: Path = Path()) -> Finding:
    """Look for one thing."""
    return CHECKS[name][1](place)


def document(findings: list[Finding]) -> dict[str, Any]:
    """As in doctor.schema.json."""
    return {
        "ok": status(findings) == 0,
        "machine": f"{platform.system()} {platform.machine()}",
        "findings": [finding.document() for finding in findings],
    }


def status(findings: list[Finding]) -> int:
    """The exit status: 3 when something needed is missing."""
    return 3 if any(finding.stands == MISSING for finding in findings) else 0


def told(findings: Iterable[Finding]) -> Iterator[str]:
    """Lines for people."""
    styles = {OK: "green", MISSING: "red", ABSENT: "yellow"}
    for finding in findings:
        stands = terminal.styled(f"{finding.stands:<8}", styles[finding.stands])
        yield f"{stands} {finding.name:<7} {finding.found or 'not found'}"
        yield terminal.wrapped(f"for {finding.purpose}", " " * 9)
        if finding.stands != OK:
            yield terminal.wrapped(f"get it: {finding.get}", " " * 9)


def _package(debian: str, brew: str, other: str = "") -> str:
    """How to get a package here."""
    if sys.platform == "darwin":
        return f"brew install {brew}"
    if shutil.which("apt-get"):
        return f"sudo apt-get install {debian}"
    return other or f"install the package {debian} of your system"


def _version(path: str | None, *words: str) -> tuple[int, ...]:
    """The version that a command tells; nothing when it does not run."""
    try:
        done = subprocess.run(
            [path or "", *(words or ("--version",))],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    numbers = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return tuple(map(int, numbers[0].split("."))) if numbers and not done.returncode else ()


def locate(command: str, least: tuple[int, ...] = ()) -> tuple[str, tuple[int, ...]]:
    """The first on PATH, or beside our own Python when that one alone is new enough."""
    path = shutil.which(command) or ""
    version = _version(path) if path else ()
    if not version or version < least:
        # The extra `node` puts Node there.
        beside = shutil.which(command, path=str(Path(sys.executable).parent)) or ""
        if beside and (other := _version(beside)) and other >= least:
            return beside, other
    return (path, version) if version else ("", ())


def _tool(
    name: str, purpose: str, get: str, least: tuple[int, ...] = (), *, needed: bool = True
) -> Finding:
    path, version = locate(name.lower(), least)
    lacking = MISSING if needed else ABSENT
    if not path:
        return Finding(name, lacking, "", purpose, get)
    found = f"{'.'.join(map(str, version))} ({path})"
    if version < least:
        wanted = ".".join(map(str, least))
        return Finding(name, lacking, f"{found}, older than {wanted}", purpose, get)
    if shutil.which(name.lower()) != path:
        found += ", not on PATH"
    return Finding(name, OK, found, purpose, get)


def _python(_: Path) -> Finding:
    found = f"{platform.python_version()} ({sys.executable})"
    get = _package("python3 python3-venv", "python", "https://www.python.org/downloads/")
    purpose = "scaffold itself, and Flask projects"
    if sys.version_info < PYTHON:
        return Finding("Python", MISSING, f"{found}, older than 3.11", purpose, get)
    try:
        import ensurepip  # noqa: F401 (Debian's python3 comes without)
        import venv  # noqa: F401
    except ImportError:
        if not locate("uv")[0]:
            get = _package("python3-venv", "python")
            return Finding("Python", MISSING, f"{found}, without venv", purpose, get)
    return Finding("Python", OK, found, purpose, get)


def _node(_: Path) -> Finding:
    get = "pip install 'scaffold[node]', or Node 24 from https://nodejs.org"
    return _tool("Node", "Express projects", get, NODE)


def _npm(_: Path) -> Finding:
    get = "it comes with Node: pip install 'scaffold[node]', or https://nodejs.org"
    return _tool("npm", "installing Express projects", get)


def _uv(_: Path) -> Finding:
    purpose = "installing Flask projects in a fraction of the time; pip does as well"
    return _tool("uv", purpose, "pip install uv", needed=False)


def _git(_: Path) -> Finding:
    purpose = "the first commit; projects are made without as well"
    return _tool("git", purpose, _package("git", "git"), needed=False)


def _make(_: Path) -> Finding:
    return _tool("make", "the commands of each project", _package("make", "make"))


def _docker(_: Path) -> Finding:
    get = "https://docs.docker.com/get-docker/"
    found = _tool("Docker", "make image and make up; nothing else wants it", get, needed=False)
    if found.stands == OK and not _version("docker", "info", "--format", "{{.ServerVersion}}"):
        found.stands, found.found = ABSENT, f"{found.found}, but no daemon answers"
    return found


def _ports(_: Path) -> Finding:
    purpose, get = "make dev: apps listen on 8000", "stop what listens there, or set PORT in .env"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 8000))
        except OSError:
            return Finding("ports", ABSENT, "8000 is taken", purpose, get)
    return Finding("ports", OK, "8000 is free", purpose, get)


def _disk(place: Path) -> Finding:
    place = place.absolute()
    while not place.is_dir():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free"
    purpose, get = "a project and what it installs (1 GB)", f"make room on the disk of {place}"
    return Finding("disk", OK if free >= ROOM else MISSING, found, purpose, get)


CHECKS: dict[str, tuple[tuple[str, ...], Callable[[Path], Finding]]] = {
    "python": (EVERY, _python),
    "node": (("express",), _node),
    "npm": (("express",), _npm),
    "uv": (("flask",), _uv),
    "git": (EVERY, _git),
    "make": (EVERY, _make),
    "docker": (EVERY, _docker),
    "ports": (EVERY, _ports),
    "disk": (EVERY, _disk),
}
