"""The life of the process."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.database import ROOT

SECONDS = 30


@contextmanager
def server(**settings: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the server as `make start` does, and leave nothing behind."""
    environ = {**os.environ, "APP_ENV": "test", "WEB_CONCURRENCY": "2", **settings}
    process = subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until_it_answers(process: "subprocess.Popen[str]", port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the server does not answer, its status is {process.poll()}")


def test_the_server_stops_cleanly_on_sigterm(database_url: str, free_port: int) -> None:
    with server(DATABASE_URL=database_url, PORT=str(free_port)) as process:
        wait_until_it_answers(process, free_port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(f"http://127.0.0.1:{free_port}/healthz", timeout=5)


def test_a_bad_configuration_stops_the_start(free_port: int) -> None:
    with server(PORT=str(free_port), LOG_LEVEL="loud", RATE_LIMIT="often") as process:
        assert process.wait(SECONDS) == 78
        assert process.stderr is not None
        first, *lines = process.stderr.read().splitlines()
        assert first == "Configuration error:"
        assert {line.partition("=")[0] for line in lines} == {"LOG_LEVEL", "RATE_LIMIT"}


def test_a_missing_database_stops_the_start(away_url: str, free_port: int) -> None:
    with server(DATABASE_URL=away_url, PORT=str(free_port)) as process:
        assert process.wait(SECONDS) == 1
        assert process.stderr is not None
        [line] = process.stderr.read().splitlines()
        assert line.startswith("The database does not answer at ")
        assert line.endswith("; check DATABASE_URL.")
