"""Two instances with two workers each are one app: one limit, one set of sessions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

import pytest
import services
from boots import Booted, baked, settings
from faults import Tell, workers
from services import Database
from writer import NOTES

from scaffold.contract.client import Client
from scaffold.contract.target import API, METRICS_TOKEN, Person, Target, together
from scaffold.server import Server
from scaffold.stacks import stacks
from scaffold.variants import variant

QUOTA, PARALLEL = 37, 100
AUTH = f"{API}/auth"
# Which stack each instance is of.
HOSTS = {name: (name, name) for name in stacks()} | {"together": ("flask", "express")}
_addresses = count(1)


@dataclass(frozen=True)
class Instance:
    server: Server
    target: Target


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(f"hosts-{name}")) for name in HOSTS],
)
def hosts(
    request: pytest.FixtureRequest, database: Callable[[str], Database]
) -> Iterator[list[Instance]]:
    """Two instances on one PostgreSQL and one Valkey."""
    server, found = database("postgresql"), []
    with services.valkey() as valkey, ExitStack() as stack:
        shared = settings(server.fresh(), valkey) | {"TRUSTED_PROXIES": "1"}
        shared |= {"RATE_LIMIT": f"{QUOTA}/hour", "WEB_CONCURRENCY": "2"}
        projects = {}
        for name in HOSTS[request.param]:
            if name not in projects:
                kind = variant(stacks()[name], database="postgresql")
                projects[name] = stack.enter_context(baked(kind))
            operator = Booted(projects[name], server, shared, stack)
            if not found:
                operator.migrate()
            # The keys are the same, the port is not.
            running = stack.enter_context(operator.start()).ready()
            found.append(Instance(running, Target(running.base, operator)))
        yield found


@pytest.fixture
def person(hosts: list[Instance]) -> Person:
    return hosts[0].target.person()


def address() -> dict[str, str]:
    """A client nobody else is."""
    return {"X-Forwarded-For": f"192.0.2.{next(_addresses)}"}


def clients(hosts: list[Instance], token: str | None = None, **headers: str) -> list[Client]:
    return [each.target.client(token, **headers) for each in hosts]


def exactly(found: list[int], passing: int, tell: Tell, name: str, whom: str) -> None:
    counts = Counter(found)
    assert counts == {passing: QUOTA, 429: PARALLEL - QUOTA}
    told = f"{counts[passing]} of {QUOTA}"
    tell(name, f"{whom}, {PARALLEL} parallel requests to 2 x 2 processes", allowed=told)


def test_one_address_has_one_limit(
    hosts: list[Instance], tell: Tell, request: pytest.FixtureRequest
) -> None:
    both = clients(hosts, **address())
    calls = [lambda one=one: one.get("/nope").status for one in both] * (PARALLEL // 2)
    exactly(together(calls), 404, tell, name_of(request), "one address")


def test_one_person_has_one_limit(
    hosts: list[Instance], person: Person, tell: Tell, request: pytest.FixtureRequest
) -> None:
    """Wherever the requests come from and whichever session they bring."""
    again = hosts[1].target.enter(person.email, person.password)
    both = clients(hosts, person.client.token) + clients(hosts, again.client.token)
    calls = [
        lambda one=one: one.get(NOTES, headers=address()).status
        for one in both * (PARALLEL // len(both))
    ]
    exactly(together(calls), 200, tell, name_of(request), "one person")


def test_guesses_are_counted_once(hosts: list[Instance], person: Person) -> None:
    wrong = {"email": person.email, "password": "wrong"}
    calls = [
        lambda one=one: one.post(f"{AUTH}/login", wrong, headers=address()).status
        for one in clients(hosts) * 6
    ]
    assert Counter(together(calls)) == {401: 5, 429: 7}


def test_a_revoked_session_is_refused_everywhere_at_once(
    hosts: list[Instance], person: Person
) -> None:
    here, there = hosts
    spare = here.target.enter(person.email, person.password)
    assert answers(there, spare) == {200}
    person.client.delete(f"{AUTH}/sessions").expect(204)
    assert answers(there, spare) == {401}
    other = there.target.enter(person.email, person.password)
    assert answers(here, other) == {200}
    other.client.post(f"{AUTH}/logout").expect(204)
    assert answers(here, other) == {401}
    assert answers(there, other) == {401}


def answers(instance: Instance, person: Person) -> set[int]:
    """What all workers say: requests at the same time reach more than one."""
    client = instance.target.client(person.client.token)
    return {*together([lambda: client.get(f"{API}/users/me").status] * 6)}


def test_metrics_are_of_all_workers(hosts: list[Instance]) -> None:
    for each in hosts:
        assert len(workers(each.server)) == 2
        client = each.target.client(**address())
        before = counted(each)
        together([lambda: client.get("/healthz").expect(200)] * 40)  # noqa: B023 (used at once)
        # Whichever worker is asked, it answers for all.
        assert {counted(each) for _ in range(6)} == {before + 40}


def counted(instance: Instance) -> int:
    token = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    text = instance.target.anonymous.get("/metrics", headers=token).expect(200).body.decode()
    line = r'^http_request_duration_seconds_count\{(?=[^}]*route="/healthz").*\} (\S+)$'
    return int(sum(float(value) for value in re.findall(line, text, re.MULTILINE)))


def name_of(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["hosts"])
