"""What the tests of faults share: an app to break, and the table of what that cost."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from boots import Booted, baked, settings
from services import Database  # noqa: TC002 (ours)
from writer import Writer  # noqa: TC002 (ours)

from scaffold.contract.client import Client
from scaffold.contract.target import Person, Target
from scaffold.server import Server
from scaffold.stacks import stacks
from scaffold.variants import variant

Tell = Callable[..., None]


def both_stacks(group: str) -> list[Any]:
    """A fixture's parameters: each stack, with one process of the run for all of a stack."""
    return [
        pytest.param(name, marks=pytest.mark.xdist_group(f"{group}-{name}")) for name in stacks()
    ]


@dataclass(frozen=True)
class Patient:
    """A migrated project of one stack, and servers of it."""

    stack: str
    operator: Booted

    @contextmanager
    def running(self, **changed: str) -> Iterator[Server]:
        """A server that is ready; the test ends it, or its end does."""
        with self.operator.start(**changed) as server:
            yield server.ready()

    def person(self, server: Server) -> Person:
        return Target(server.base, self.operator).person()


@contextmanager
def patient(stack: str, database: Database, kind: str, valkey: str = "") -> Iterator[Patient]:
    """One app of a stack on a database of its own, migrated but not started."""
    with baked(variant(stacks()[stack], database=kind)) as project, ExitStack() as servers:
        operator = Booted(project, database, settings(database.fresh(), valkey), servers)
        operator.migrate()
        yield Patient(stack, operator)


def workers(server: Server) -> list[int]:
    """The processes that were started by the server's first one."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def resident(server: Server) -> float:
    """The MiB of memory that the server's processes hold."""
    page = os.sysconf("SC_PAGE_SIZE")
    pids = [server.pid, *workers(server)]
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
    return sum(pages) * page / 2**20


def sockets(*pids: int) -> int:
    """How many sockets the processes hold open."""
    found = 0
    for pid in pids:
        for each in Path(f"/proc/{pid}/fd").iterdir():
            # Gone between listing and looking.
            with suppress(FileNotFoundError):
                found += str(each.readlink()).startswith("socket:")
    return found


def all_serve(server: Server, number: int) -> bool:
    """Whether there are so many workers and each takes connections."""
    pids = workers(server)
    if len(pids) != number:
        return False
    before = [sockets(pid) for pid in pids]
    with ExitStack() as stack:
        for _ in range(4 * number):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
            stack.enter_context(closing(connection))
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        return all(sockets(pid) > had for pid, had in zip(pids, before, strict=True))


def nothing_lost(writer: Writer, client: Client, *kinds: str) -> dict[str, Any]:
    """Hold a writer to it that every acknowledged note is there and only these failures came."""
    writer.stop()
    counts = writer.lost(client)
    assert counts["lost"] == 0, counts
    assert set(writer.failed) <= set(kinds), writer.failed
    return {"requests": writer.found.total(), "failed": writer.failed.total(), **counts}
