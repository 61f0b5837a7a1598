"""Processes that are started to be stopped again: one process group each, and its base URL."""

from __future__ import annotations

import atexit
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from scaffold.project import Project

PR_SET_PDEATHSIG = 1
_alive: set[Process] = set()


class NotReady(RuntimeError):
    """A process that ended, or did not answer in time; says what it wrote."""


class Process:
    """A process group of its own, whose output goes to `log` (and errors to `log`.err)."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        directory: Path,
        env: Mapping[str, str],
        user: str | None = None,
    ) -> None:
        self.log, self.errors = log, log.with_name(f"{log.name}.err")
        with log.open("ab") as out, self.errors.open("ab") as err:
            self._popen = subprocess.Popen(
                command,
                cwd=directory,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                user=user,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 (no threads of ours hold locks)
            )
        _alive.add(self)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        return self._popen.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process of the group."""
        self._popen.send_signal(number)

    @contextmanager
    def held(self, number: int) -> Iterator[None]:
        """Stop the whole group meanwhile; it goes on with this signal, before anything else."""
        os.killpg(self.pid, signal.SIGSTOP)
        try:
            yield
            os.killpg(self.pid, number)
        finally:
            os.killpg(self.pid, signal.SIGCONT)

    def wait(self, timeout: float) -> int:
        """Return the exit status, negative for a signal; NotReady when it is not over by then."""
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise NotReady(f"still running after {timeout} s\n{self.output()}") from error
        _alive.discard(self)
        return status

    def stop(self, timeout: float = 10) -> int:
        """End it: SIGTERM, then SIGKILL to whatever is left of the group."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except NotReady:
            return self.kill()
        finally:
            self._kill_group()

    def kill(self) -> int:
        """End the whole group at once."""
        self._kill_group()
        _alive.discard(self)
        return self._popen.wait()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def output(self, last: int = 4000) -> str:
        """The end of what it wrote, for messages."""
        texts = (path.read_text(errors="replace") for path in (self.log, self.errors))
        return "\n".join(text[-last:] for text in texts)

    def until(self, is_ready: Callable[[], bool], timeout: float) -> None:
        """Wait for `is_ready`; NotReady when the process ends or the time does."""
        end = time.monotonic() + timeout
        while not is_ready():
            if self.poll() is not None:
                raise NotReady(f"ended with status {self.poll()}\n{self.output()}")
            if time.monotonic() > end:
                raise NotReady(f"not ready after {timeout} s\n{self.output()}")
            time.sleep(0.03)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Server(Process):
    """A project's app, listening on 127.0.0.1 with exactly the settings in `env`."""

    def __init__(
        self,
        project: Project,
        env: Mapping[str, str],
        log: Path,
        command: Sequence[str] = (),
    ) -> None:
        self.port = int(env["PORT"])
        self.base = f"http://127.0.0.1:{self.port}"
        super().__init__(command or project.serve, log, directory=project.directory, env=env)

    def ready(self, timeout: float = 30) -> Self:
        """Wait until /readyz answers 200."""
        self.until(lambda: self.status("/readyz") == 200, timeout)
        return self

    def status(self, path: str) -> int | None:
        """What the server answers, or None when nobody does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _die_with_parent() -> Callable[[], None] | None:
    """Have Linux end the child when we are killed without a chance to clean up."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def set_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return set_signal


@atexit.register
def _end_all() -> None:
    for process in list(_alive):
        process.kill()
