"""Rate limits are exact and friendly."""

import time

import pytest

from tests.conftest import Start
from tests.person import ME, Person, assert_problem, at_once, enroll


def test_the_limit_is_exact(start: Start) -> None:
    anyone = Person(start(RATE_LIMIT="5/hour"))
    assert at_once(20, lambda: anyone.get(ME)) == {401: 5, 429: 15}
    assert_problem(anyone.get(ME), 429, "rate-limited")
    assert anyone.get("/healthz").status == 200


def test_the_answer_says_what_is_left(start: Start) -> None:
    ada = enroll(start(RATE_LIMIT="2/minute"), "Ada")
    first, second, third = (ada.get(ME) for _ in range(3))
    assert first.headers["RateLimit-Policy"] == '"default";q=2;w=60'
    assert first.headers["RateLimit"] == '"default";r=1;t=30'
    assert second.headers["RateLimit"].startswith('"default";r=0;t=')
    assert third.status == 429
    assert 1 <= int(third.headers["Retry-After"]) <= 30
    assert Person(ada.app).get(ME).headers["RateLimit"] == '"default";r=1;t=30'


def test_a_blocked_client_may_come_back(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    anyone = Person(start(RATE_LIMIT="1/minute"))
    assert anyone.get(ME).status == 401
    wait = int(anyone.get(ME).headers["Retry-After"])
    later = time.monotonic_ns() + wait * 1_000_000_000
    monkeypatch.setattr("time.monotonic_ns", lambda: later)
    assert anyone.get(ME).status == 401
    assert anyone.get(ME).status == 429


def test_a_store_that_is_away_costs_no_error(start: Start, free_port: int) -> None:
    anyone = Person(start(RATE_LIMIT="3/hour", VALKEY_URL=f"redis://127.0.0.1:{free_port}/0"))
    assert [anyone.get(ME).status for _ in range(5)] == [401, 401, 401, 429, 429]
