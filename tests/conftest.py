"""Servers the tests share, one of each kind and run, started when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


def name_of(variant: Variant) -> str:
    return f"{variant.stack.name}-{variant.answers['database']}"
