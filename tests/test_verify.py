"""The checks as a command, against apps it did not start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from boots import booted
from jsonschema import Draft202012Validator
from liars import Shape, liar
from services import Sqlite

import scaffold
from scaffold.contract.checks import checks
from scaffold.contract.target import Target
from scaffold.stacks import Stack, stacks
from scaffold.variants import variant

SCHEMA = json.loads(
    (Path(scaffold.__file__).parent / "contract/verify.schema.json").read_text(encoding="utf-8")
)
# What an operator of the app has in his hands, and a visitor has not.
HANDS = ("database", "the app's log", "the app's files", "start the app", "restart the app")


@pytest.fixture(scope="module", params=stacks().values(), ids=lambda stack: stack.name)
def app(request: pytest.FixtureRequest) -> Iterator[Target]:
    stack: Stack = request.param
    with booted(variant(stack), Sqlite()) as target:
        yield target


def verify(url: str, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scaffold", "verify", "--url", url, *more],
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def first_admin(app: Target) -> str:
    account = app.account("Operator")
    app.operator.promote(account["email"])
    return str(app.enter(account["email"], account["password"]).client.token)


def test_an_app_that_keeps_its_promises(app: Target, tmp_path: Path) -> None:
    """All that HTTP, mails and an admin's token can reach is kept; the rest is named."""
    junit, operator = tmp_path / "junit.xml", app.operator
    options = ["--json", "--junit", str(junit), "--mail-dir", str(operator.mails)]
    options += ["--cors-origin", operator.cors_origin]
    tokens = {"SCAFFOLD_ADMIN_TOKEN": first_admin(app)}
    tokens["SCAFFOLD_METRICS_TOKEN"] = operator.metrics_token
    done = verify(app.base, *options, **tokens)
    report = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(report)
    told = {check["name"]: check for check in report["checks"]}
    assert [check for check in told.values() if check["result"] == "broken"] == []
    assert (done.returncode, done.stderr) == (0, "")
    assert set(told) == set(checks())
    skipped = {name: check for name, check in told.items() if check["result"] == "not-tried"}
    for check in skipped.values():
        assert check["reason"].startswith("needs "), check
        assert any(hand in check["reason"] for hand in HANDS) or "come from" in check["reason"]
    assert report["counts"] == counted(told.values())
    assert report["counts"]["kept"] > 2 * report["counts"]["not-tried"]
    suite = parsed(junit)
    assert int(suite.attrib["tests"]) == len(checks())
    assert len(suite.findall("testcase/skipped")) == len(skipped) == int(suite.attrib["skipped"])
    assert (suite.findall("testcase/failure"), suite.attrib["failures"]) == ([], "0")
    assert made_admins(app, tokens["SCAFFOLD_ADMIN_TOKEN"]) == set()


def parsed(junit: Path) -> ET.Element:
    return ET.parse(junit).getroot()  # noqa: S314 (our own)


def counted(told: Any) -> dict[str, int]:
    results = [check["result"] for check in told]
    return {result: results.count(result) for result in ("kept", "broken", "not-tried")}


def made_admins(app: Target, token: str) -> set[str]:
    """Addresses of admins that a run left behind."""
    found = app.client(token).get("/api/v1/users?q=Root&limit=100").expect(200).json()["items"]
    return {user["email"] for user in found if user["role"] == "admin" and not user["disabled"]}


def test_limits_slow_it_down_and_break_nothing(app: Target) -> None:
    """A strict app is asked again after the time it names, and its owner is told."""
    strict = app.operator.boot(RATE_LIMIT="10/second", RATE_LIMIT_AUTH="5/second")
    done = verify(strict.base, "--chapter", "8")
    assert done.returncode == 0, done.stdout
    assert "raise RATE_LIMIT and RATE_LIMIT_AUTH" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_chapters_are_grouped_and_counted(app: Target) -> None:
    done = verify(app.base, "--chapter", "9", "--chapter", "8")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")][:2] == ["8. Data", "9. Logs"]
    assert "  kept       Keys are UUIDv7 and sort by time" in lines
    at = lines.index("  not tried  All six tables are there")
    assert lines[at + 1].strip() == "needs the database"
    assert lines[-1].startswith(f"{app.base}: ")


def test_a_broken_promise_is_named(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    with liar(Shape(200, {"status": "ok"})) as url:
        done = verify(url, "--chapter", "2", "--junit", str(junit))
    assert done.returncode == 1
    assert "  BROKEN     readyz names its checks; valkey only when there is one\n" in done.stdout
    failed = [case for case in parsed(junit) if case.find("failure") is not None]
    assert "chapter2.readyz" in {case.attrib["classname"] for case in failed}
    said = [failure.attrib["message"] for case in failed for failure in case]
    assert any("expected" in message for message in said)


def test_what_cannot_be_written_as_xml_is_replaced(tmp_path: Path) -> None:
    shape = replace(Shape(200, {"status": "ok"}), body=b'"\\u0000\x01\xff\xfe\xed\xa0\x80"')
    with liar(shape) as url:
        verify(url, "--chapter", "2", "--junit", str(tmp_path / "junit.xml"))
    assert parsed(tmp_path / "junit.xml").findall("testcase/failure")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:{silent}", "start it"),
        ("http://no-such-host.invalid", "start it"),
        ("https://127.0.0.1:{silent}", "start it"),
        ("localhost:8000", "http(s)://HOST:PORT"),
        ("ftp://localhost", "http(s)://HOST:PORT"),
        ("http://localhost:99999", "http(s)://HOST:PORT"),
        ("http://user@localhost", "http(s)://HOST:PORT"),
        ("http://localhost/api", "without a path"),
    ],
)
def test_no_app_is_one_sentence(url: str, says: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        # Nobody accepts; the backlog takes the connection, and closing ends it.
        if "{silent}" in url:
            listener.close()
        done = verify(url.replace("{silent}", port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: ")
    assert says in done.stderr


def test_an_interrupt_leaves_no_admin_behind(app: Target) -> None:
    token = first_admin(app)
    command = [sys.executable, "-m", "scaffold", "verify", "--url", app.base, "--chapter", "4"]
    env = os.environ | {"SCAFFOLD_ADMIN_TOKEN": token}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        end = time.monotonic() + 60
        while not made_admins(app, token) and time.monotonic() < end:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert made_admins(app, token) == set()


def test_an_admin_token_must_be_an_admins(app: Target) -> None:
    done = verify(app.base, "--admin-token", str(app.person().client.token))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--admin-token is no admin's" in done.stderr


def test_nothing_tried_is_no_success(app: Target) -> None:
    done = verify(app.base, "--chapter", "1")
    assert done.returncode == 2
    assert "0 promises kept, 0 broken" in done.stdout
