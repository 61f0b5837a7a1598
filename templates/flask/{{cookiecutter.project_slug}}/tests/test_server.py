"""The life of the process."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests.database import ROOT

SECONDS = 30
UPLOAD = b"""POST /api/v1/auth/login HTTP/1.1\r
Host: localhost\r
Content-Type: application/json\r
Content-Length: 2\r
Expect: 100-continue\r
\r
"""


@contextmanager
def server(port: int, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the server as `make start` does, and leave nothing behind."""
    environ = {**os.environ, "APP_ENV": "test", "PORT": str(port), **settings}
    with subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False


def wait_until(process: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, "the server has ended"
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def complaint(process: "subprocess.Popen[str]") -> list[str]:
    stderr: IO[str] | None = process.stderr
    assert stderr
    return stderr.read().splitlines()


def test_the_server_stops_cleanly_on_sigterm(database_url: str, free_port: int) -> None:
    settings = {"DATABASE_URL": database_url, "WEB_CONCURRENCY": "2", "SHUTDOWN_SECONDS": "60"}
    with server(free_port, **settings) as process:
        wait_until(process, lambda: is_ready(free_port))
        with socket.create_connection(("127.0.0.1", free_port), SECONDS) as client:
            client.sendall(UPLOAD)
            assert client.recv(1024).startswith(b"HTTP/1.1 100 ")
            process.send_signal(signal.SIGTERM)
            wait_until(process, lambda: not is_ready(free_port))
            # A request in flight still gets its answer.
            client.sendall(b"{}")
            assert client.recv(1024).startswith(b"HTTP/1.1 422 ")
        assert process.wait(SECONDS) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free_port))


def test_a_bad_configuration_stops_the_start(free_port: int) -> None:
    with server(free_port, LOG_LEVEL="loud", RATE_LIMIT="often") as process:
        assert process.wait(SECONDS) == 78
        first, *lines = complaint(process)
        assert first == "Configuration error:"
        assert [line.partition("=")[0] for line in lines] == ["RATE_LIMIT", "LOG_LEVEL"]


def test_a_missing_database_stops_the_start(away_url: str, free_port: int) -> None:
    with server(free_port, DATABASE_URL=away_url) as process:
        assert process.wait(SECONDS) == 1
        [line] = complaint(process)
        assert line.startswith("The database does not answer at ")
        assert line.endswith("; check DATABASE_URL.")
