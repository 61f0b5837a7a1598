"""Both stacks are asked the same made-up things; every answer must tell the same."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from boots import booted
from grammar import SEQUENCES, Step
from hypothesis import HealthCheck, Phase, given, settings
from services import Database  # noqa: TC002 (ours)
from sides import Side

from scaffold.contract.target import Person, Target
from scaffold.contract.totp import MARGIN, STEP
from scaffold.stacks import stacks
from scaffold.variants import variant

# How many sequences; more find more.
EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "40"))
DATABASES = ("sqlite", "postgresql")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Known:
    """An app with people all sequences share: a stranger with a note, and an admin."""

    target: Target
    other: Person
    admin: Person
    note: str

    def side(self, number: int) -> Side:
        side = Side(self.target, self.other, self.admin, f"twin{number}@example.com")
        side.begin(self.note)
        return side


@pytest.fixture(scope="module", params=DATABASES)
def twins(
    request: pytest.FixtureRequest, database: Callable[[str], Database]
) -> Iterator[list[Known]]:
    with ExitStack() as stack:
        found = []
        for which in stacks().values():
            made = variant(which, database=request.param)
            target = stack.enter_context(booted(made, database(request.param)))
            other = known(target, "other@example.com")
            admin = known(target, "admin@example.com")
            target.operator.promote(admin.email)
            found.append(Known(target, other, admin, target.note(other, "a stranger's")["id"]))
        yield found


def known(target: Target, email: str) -> Person:
    """Somebody with the same address on both sides."""
    body = {"email": email, "password": "purple monkey dishwasher", "name": "Stranger"}
    target.anonymous.post("/api/v1/auth/register", body).expect(202)
    return target.enter(email, body["password"])


def moment() -> int:
    """The TOTP step of now, with time enough left in it to ask both."""
    left = STEP - time.time() % STEP
    if left < MARGIN:
        time.sleep(left)
    return int(time.time()) // STEP


@given(sequence=SEQUENCES)
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_tells_the_stacks_apart(twins: list[Known], sequence: list[Step]) -> None:
    number = next(_numbers)
    flask, express = (one.side(number) for one in twins)
    for step in sequence:
        now = moment()
        here, there = flask.take(step, now), express.take(step, now)
        assert here == there, step
