"""Checks: one promise each, tried from outside; a module per part of the contract."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from scaffold.contract.client import Broken
from scaffold.contract.target import Target

MODULES = (
    "configuration",
    "operations",
    "pages",
    "sessions",
    "csrf",
    "access",
    "auth",
    "passwords",
    "guessing",
    "mail",
    "verification",
    "resets",
    "changes",
    "secondfactor",
    "recovery",
    "users",
    "admins",
    "notes",
    "preconditions",
    "lists",
    "errors",
    "bodies",
    "hostile",
    "framing",
    "headers",
    "cors",
    "probes",
    "limits",
    "data",
    "logs",
    "events",
    "life",
    "outages",
)


PATIENCE = 3.0


@dataclass(frozen=True)
class Check:
    """A promise, the chapter that makes it, and the standard it follows."""

    name: str
    chapter: int
    promise: str
    source: str
    run: Callable[[Target], None]


_found: dict[str, Check] = {}


def check(
    chapter: int, promise: str, source: str = ""
) -> Callable[[Callable[[Target], None]], Callable[[Target], None]]:
    """Register a function as the check of `promise`; its name is the check's name."""

    def register(run: Callable[[Target], None]) -> Callable[[Target], None]:
        name = run.__name__
        if name in _found:
            raise ValueError(f"two checks are called {name}")
        _found[name] = Check(name, chapter, promise, source, run)
        return run

    return register


@cache
def checks() -> dict[str, Check]:
    """Every check by name, in the order of the contract."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
    return _found


def equal(actual: Any, expected: Any, what: object) -> None:
    if actual != expected:
        raise Broken(f"{what}: expected {expected!r}, got {actual!r}")


def eventually(look: Callable[[], Any], expected: Any, what: object) -> None:
    """Wait a moment for what is written after the answer was sent, perhaps by another process."""
    end = time.monotonic() + PATIENCE
    while (actual := look()) != expected and time.monotonic() < end:
        time.sleep(0.05)
    equal(actual, expected, what)


def alive(app: Target) -> None:
    """See that what said nothing wrong says something right."""
    equal(app.anonymous.get("/healthz").expect(200).json(), {"status": "ok"}, "healthz")


def true(condition: object, what: object) -> None:
    if not condition:
        raise Broken(str(what))
