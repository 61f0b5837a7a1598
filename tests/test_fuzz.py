"""schemathesis, with all its checks, against what each app says of itself in /openapi.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from boots import booted
from services import Database  # noqa: TC002 (ours)

from scaffold.contract.target import Target
from scaffold.stacks import stacks
from scaffold.variants import variant

HERE = Path(__file__).parent
# How many requests an operation gets beyond those that its schema asks for; more find more.
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "")
EVERY = [
    (stack, database, who)
    for stack in stacks()
    for database in ("sqlite", "postgresql")
    for who in ("an admin", "nobody")
]
# Each stack meets each database and each who.
FEW = [
    one for one in EVERY if ((one[0] == "flask") == (one[1] == "sqlite")) == (one[2] != "nobody")
]


@pytest.mark.parametrize(("stack", "kind", "who"), EVERY if EXAMPLES else FEW)
def test_no_request_finds_a_fault(
    stack: str, kind: str, who: str, database: Callable[[str], Database], tmp_path: Path
) -> None:
    with booted(variant(stacks()[stack], database=kind), database(kind)) as app:
        done = fuzz(app, who, tmp_path)
        assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
        assert " ✅ " in done.stdout
        lines = [json.loads(line) for line in app.operator.log().splitlines()]
        assert [line for line in lines if line["level"] == "error"] == []
        asked = [line["status"] for line in lines if line["message"] == "request"]
        assert [status for status in asked if status >= 500] == []
        # It got somewhere: without a session hardly anything, with one nearly everywhere.
        assert len(asked) > 500
        assert {200, 201, 204, 404, 422} <= set(asked) if who != "nobody" else 401 in asked


def fuzz(app: Target, who: str, directory: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "FUZZ_URL": app.base}
    if who != "nobody":
        env |= {"FUZZ_ADMIN": str(app.admin().client.token), "SCHEMATHESIS_HOOKS": "fuzzing"}
        env["PYTHONPATH"] = os.pathsep.join((str(HERE), os.environ.get("PYTHONPATH", "")))
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, f"--config-file={HERE / 'fuzzing.toml'}", "run", f"{app.base}/openapi.json"]
    # The same requests each time, and all that is found at once.
    command += ["--generation-deterministic", "--continue-on-failure", "--no-shrink", "--no-color"]
    command += ["--checks=all", f"--max-examples={EXAMPLES or 3}"]
    return subprocess.run(
        command, cwd=directory, env=env, capture_output=True, text=True, timeout=1800, check=False
    )
