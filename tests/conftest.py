"""Servers the tests share, one of each kind and run, started when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import services
from services import Database

from scaffold.stacks import stacks
from scaffold.variants import Variant, variant

DATABASES = ("sqlite", "postgresql", "mysql")
# Every database on both stacks; the other options do not change what runs.
BOOTS = [variant(stack, database=name) for stack in stacks().values() for name in DATABASES]
# One per stack shares its limits through Valkey.
WITH_VALKEY = "postgresql"
# Files whose tests share one thing of the machine: a container engine.
WHOLE = {"tests/test_images.py"}
# What tests note beside passing, and the head it is shown under.
TOLD = {"image": "images", "fault": "what the faults cost"}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Database]:
    with services.postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[Database]:
    with services.mysql() as server:
        yield server


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> Callable[[str], Database]:
    """The server of a kind, by the answer's name."""

    def find(name: str) -> Database:
        if name == "sqlite":
            return services.Sqlite()
        found: Database = request.getfixturevalue(name)
        return found

    return find


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Say in the summary what a fault cost: a stack, the fault, and numbers by their names."""

    def say(stack: str, fault: str, **numbers: Any) -> None:
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in numbers.items())
        record_property("fault", f"{fault} | {stack} | {told}")

    return say


def name_of(variant: Variant) -> str:
    return f"{variant.stack.name}-{variant.answers['database']}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes, one has all tests of one live app, so that each starts once."""
    for item in items:
        live = getattr(item, "callspec", None) and item.callspec.params.get("target")  # type: ignore[attr-defined]
        if live:
            item.add_marker(pytest.mark.xdist_group(name_of(live)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole files to one process where their tests share what a machine has once."""
    from xdist.scheduler import LoadGroupScheduling

    class Scheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in WHOLE else super()._split_scope(nodeid)

    return Scheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests told, how many mutants were killed, and which survived."""
    reports = [one for each in terminalreporter.stats.values() for one in each]
    properties = [pair for one in reports for pair in getattr(one, "user_properties", ())]
    for told, title in TOLD.items():
        lines = sorted({str(value) for name, value in properties if name == told})
        if lines:
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.line(line)
    trial = "::test_mutant_is_killed["
    found = {
        outcome: [
            each.nodeid for each in terminalreporter.stats.get(outcome, ()) if trial in each.nodeid
        ]
        for outcome in ("passed", "failed")
    }
    if any(found.values()):
        killed, survived = len(found["passed"]), found["failed"]
        terminalreporter.line(f"mutants: {killed} killed, {len(survived)} survived")
        for name in survived:
            terminalreporter.line(f"  survived: {name.partition('[')[2].rstrip(']')}")
