"""Every promise of the contract, tried on every stack and database from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import services
import yaml
from boots import booted
from conftest import BOOTS, WITH_VALKEY, name_of
from jsonschema import Draft202012Validator
from services import Database

import scaffold
from scaffold.contract.checks import Check, checks
from scaffold.contract.client import Answer, Broken
from scaffold.contract.target import Target

DOCUMENT = yaml.safe_load(
    (Path(scaffold.__file__).parent / "contract" / "openapi.yaml").read_text(encoding="utf-8")
)


@dataclass
class Observer:
    """Holds each answer under /api to the OpenAPI document."""

    wrong: dict[str, str] = field(default_factory=dict)

    def __call__(self, answer: Answer) -> None:
        if 300 <= answer.status < 400 and answer.status != 304:
            self.wrong[f"{answer}"] = "a redirect"
        operation = operation_of(answer)
        if operation is None:
            return
        promised = operation["responses"].get(str(answer.status))
        if promised is None:
            self.wrong[f"{answer.method} {operation['operationId']} {answer.status}"] = "unpromised"
            return
        kind = answer.header("Content-Type") or ""
        content = resolved(promised).get("content", {})
        if answer.method == "HEAD" or (not content and not answer.body):
            return
        if kind not in content:
            self.wrong[f"{operation['operationId']} {answer.status}"] = f"Content-Type {kind}"
            return
        schema = {**content[kind]["schema"], "components": DOCUMENT["components"]}
        for error in Draft202012Validator(schema).iter_errors(json.loads(answer.body)):
            self.wrong[f"{operation['operationId']} {answer.status}"] = error.message


def resolved(response: dict[str, Any]) -> dict[str, Any]:
    name = response.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = DOCUMENT["components"]["responses"].get(name, response)
    return found


def operation_of(answer: Answer) -> dict[str, Any] | None:
    """The documented operation that gave the answer."""
    path = answer.path.split("?")[0]
    # The exact path first: /users/me is no user's id.
    for template in sorted(DOCUMENT["paths"], key=lambda template: template != path):
        pattern = re.escape(template).replace(re.escape("{id}"), "[^/]+")
        if template.startswith("/api/") and re.fullmatch(pattern, path):
            method = "get" if answer.method == "HEAD" else answer.method.lower()
            found: dict[str, Any] | None = DOCUMENT["paths"][template].get(method)
            return found
    return None


@pytest.fixture(scope="session", params=BOOTS, ids=name_of)
def target(request: pytest.FixtureRequest, database: Callable[[str], Database]) -> Iterator[Target]:
    answer = request.param.answers["database"]
    with ExitStack() as stack:
        # One of its own: the other stack's counts have the same keys.
        valkey = stack.enter_context(services.valkey()) if answer == WITH_VALKEY else ""
        yield stack.enter_context(booted(request.param, database(answer), valkey, Observer()))


@pytest.mark.parametrize("check", checks().values(), ids=checks())
def test_promise(target: Target, check: Check) -> None:
    broken = ""
    try:
        check.run(target)
    except Broken as error:
        broken = str(error)
    if broken:
        source = f" ({check.source})" if check.source else ""
        pytest.fail(f"C{check.chapter} {check.promise}{source}\n{broken}", pytrace=False)


def test_every_answer_fits_the_document(target: Target) -> None:
    assert isinstance(target.observe, Observer)
    assert target.observe.wrong == {}
