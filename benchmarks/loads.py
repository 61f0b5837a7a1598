"""What is asked of the servers, and the client that asks it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaffold.contract.target import API
from tests.environments import base_environment

CLIENT = Path(__file__).parent / "load.mjs"
NOTES = f"{API}/notes"
TEXT = "Forty-two words would be a long note, so this is a short one that says so. " * 3
NOTE = {"title": "A note of usual length", "body": TEXT, "tags": ["red", "green", "blue"]}


@dataclass(frozen=True)
class Extent:
    """How much is asked: until the time or the count is over."""

    connections: int
    seconds: float
    # However fast a server is, a run ends.
    most: int = 300_000


@dataclass(frozen=True)
class Case:
    """A request, and which servers answer it."""

    name: str
    method: str
    path: str
    status: int
    kinds: tuple[str, ...] = ()
    # Whose token goes with it: one person only reads, another only writes.
    who: str | None = None
    body: Any = None


HEALTH = Case("GET /healthz", "GET", "/healthz", 200, ("raw", "bare", "app"))
LISTING = Case("GET notes", "GET", NOTES, 200, ("driver", "app"), "reader")
CREATION = Case("POST notes", "POST", NOTES, 201, ("driver", "app"), "writer", NOTE)
CASES = (HEALTH, LISTING, CREATION)


def load(
    port: int, cases: Sequence[Case], tokens: Mapping[str, str], extent: Extent
) -> dict[str, float]:
    """Run the client once, each connection taking the cases in turn; another answer is an error."""
    requests = [
        {
            "method": case.method,
            "path": case.path,
            "token": tokens.get(case.who, case.who) if case.who else None,
            "body": case.body,
            "status": case.status,
        }
        for case in cases
    ]
    about = {"port": port, "requests": requests, **asdict(extent)}
    done = subprocess.run(
        ["node", str(CLIENT), json.dumps(about)],
        env=base_environment(),
        capture_output=True,
        text=True,
        timeout=extent.seconds + 60,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    if found["failed"] or not found["requests"]:
        raise SystemExit(f"{cases[0].name}: {found}")
    return found
