"""`--install`: a fresh project is installed, migrated, started once, asked, and stopped."""

from __future__ import annotations

import http.client
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from scaffold import doctor, terminal
from scaffold.interrupts import Interrupts
from scaffold.project import Project
from scaffold.server import NotReady, Process, Server, free_port
from scaffold.variants import Variant

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TARGETS = (
    ("Install the dependencies", "install"),
    ("Write .env with fresh secrets", ".env"),
    ("Migrate the database", "migrate"),
)
LIMIT = 900
ASKED = "/readyz"
FAILED = 3
# What a step that fails may lack.
SUSPECTS = {
    "install": {"flask": ("make", "python", "disk"), "express": ("make", "node", "npm", "disk")},
    "other": {"flask": ("disk",), "express": ("node", "disk")},
}


class Step:
    """One thing that was done: its name, how long it took, and how it failed."""

    def __init__(self, name: str, seconds: float, failure: str = "") -> None:
        self.name, self.seconds, self.failure = name, seconds, failure

    def document(self) -> dict[str, Any]:
        return {
            "step": self.name,
            "seconds": round(self.seconds, 3),
            "failure": self.failure or None,
        }


class Installed:
    """Every step that was begun, what the app answered, and what the machine lacks."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.answer: dict[str, Any] | None = None
        self.findings: list[doctor.Finding] = []

    @property
    def status(self) -> int:
        return FAILED if any(step.failure for step in self.steps) else 0

    def document(self) -> dict[str, Any]:
        """As in new.schema.json."""
        return {
            "steps": [step.document() for step in self.steps],
            "answer": self.answer,
            "lacks": [finding.document() for finding in self.findings],
        }


def install(target: Path, variant: Variant, interrupts: Interrupts) -> Installed:
    """Try the project out; what a step leaves behind when it fails is taken away again."""
    interrupts.told = (
        f"Interrupted: {target} is made, and as it was before this step; "
        f"'make setup' there goes on."
    )
    with tempfile.TemporaryDirectory(prefix="scaffold-") as logs:
        return _Trial(Project(target), variant, interrupts.check, Path(logs)).run()


class _Trial:
    def __init__(
        self, project: Project, variant: Variant, check: Callable[[], None], logs: Path
    ) -> None:
        self.project, self.stack, self.check, self.logs = project, variant.stack.name, check, logs
        self.progress, self.installed = terminal.Progress(), Installed()
        self.port = free_port()
        self.env = _environment() | {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PUBLIC_URL": f"http://localhost:{self.port}",
            "WEB_CONCURRENCY": "1",
        }

    def run(self) -> Installed:
        for title, target in TARGETS:
            if not self._step(title, f"make {target}", partial(self._make, target)):
                return self.installed
        self._try()
        return self.installed

    def _step(self, title: str, told: str, do: Callable[[], str]) -> bool:
        """Do one thing while telling of it; True when it worked."""
        before = {path.name for path in self.project.directory.iterdir()}
        begin = time.monotonic()
        self._since = (f"{title} ({told})", begin)
        self.progress.show(f"{title} ({told}) …")
        failure = "interrupted"
        try:
            failure = do()
        finally:
            if failure:
                self._clean(before)
        seconds = time.monotonic() - begin
        self.installed.steps.append(Step(told, seconds, failure))
        mark = terminal.styled("failed", "red", sys.stderr) if failure else "ok"
        self.progress.tell(f"{mark:<7} {title} ({told})  {seconds:.1f} s")
        if failure:
            self._explain(told, failure)
        return not failure

    def _explain(self, told: str, failure: str) -> None:
        for line in failure.splitlines():
            self.progress.tell(f"  | {line}")
        suspects = SUSPECTS.get(told.partition(" ")[2], SUSPECTS["other"])[self.stack]
        found = [doctor.find(name, self.project.directory) for name in suspects]
        self.installed.findings = [each for each in found if each.stands == doctor.MISSING]
        for line in doctor.told(self.installed.findings):
            self.progress.tell(line)

    def _clean(self, before: set[str]) -> None:
        """Take away what a step that did not end well has left behind."""
        for path in self.project.directory.iterdir():
            if path.name in before:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _make(self, target: str) -> str:
        """Run a target of the project's Makefile and return how it failed."""
        if not shutil.which("make"):
            return "make is not installed"
        words = ("make", "--no-print-directory", target)
        log = self.logs / f"{target.lstrip('.')}.log"
        with self._process(
            lambda: Process(words, log, directory=self.project.directory, env=self.env)
        ) as process:
            end = time.monotonic() + LIMIT
            while process.poll() is None and time.monotonic() < end:
                self._wait()
            if process.poll() == 0:
                return ""
            return _last(process.output()) or f"ended with status {process.poll()}"

    def _try(self) -> None:
        """Start the app, show that it answers, and stop it."""
        log = self.logs / "server.log"
        serving: list[Server] = []

        def start() -> str:
            serving.append(Server(self.project, self.env, log))
            try:
                serving[0].until(self._answers, 60)
            except NotReady as error:
                return _last(str(error))
            return ""

        def stop() -> str:
            status = serving[0].stop(30)
            return f"ended with status {status}" if status else ""

        try:
            if not self._step("Start the app", " ".join(self.project.serve), start):
                return
            self.progress.tell(f"        GET {ASKED}: {_line(self.installed.answer)}")
            self._step("Stop it again", "SIGTERM", stop)
        finally:
            if serving and serving[0].poll() is None:
                serving[0].stop()

    def _answers(self) -> bool:
        self._wait(0)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", ASKED)
            answer = connection.getresponse()
            body = answer.read().decode("utf-8", "replace").strip()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        self.installed.answer = {
            "request": f"GET {ASKED}",
            "status": answer.status,
            "body": body,
        }
        return answer.status == 200

    def _wait(self, seconds: float = 0.1) -> None:
        self.check()
        told, begin = self._since
        self.progress.show(f"{told} … {time.monotonic() - begin:.0f} s")
        time.sleep(seconds)

    @contextmanager
    def _process(self, start: Callable[[], Process]) -> Iterator[Process]:
        """A process that is gone, with all its children, however this ends."""
        process = start()
        try:
            yield process
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    """The caller's, with a Node and a Python that are new enough where there are any."""
    env: dict[str, str] = {**os.environ}
    node, _ = doctor.locate("node", doctor.NODE)
    if node:
        env["PATH"] = os.pathsep.join([str(Path(node).parent), env.get("PATH", "")])
    env.setdefault("PYTHON", sys.executable)
    return env


def _last(text: str, count: int = 12) -> str:
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])


def _line(answer: Mapping[str, Any] | None) -> str:
    return f"{answer['status']} {answer['body']}" if answer else "nothing"
