"""Variants: the sets cover what they say."""

from __future__ import annotations

from itertools import combinations

import pytest
from allpairspy import AllPairs

from scaffold.errors import InvalidAnswer
from scaffold.stacks import stacks
from scaffold.variants import SETS, Variant, variant, variants

ASKED = {"database": ["sqlite", "postgresql", "mysql"], "ci": ["github", "gitlab", "none"]}


def of(stack: str, chosen: str) -> list[Variant]:
    return [found for found in variants(chosen) if found.stack.name == stack]


def pairs(rows: list[dict[str, str]]) -> set[tuple[tuple[str, str], ...]]:
    return {pair for row in rows for pair in combinations(row.items(), 2)}


def chosen_answers(found: Variant) -> dict[str, str]:
    return {name: found.answers[name] for name in ASKED}


@pytest.mark.parametrize("stack", ["flask", "express"])
def test_the_sets_grow(stack: str) -> None:
    sizes = [len(of(stack, chosen)) for chosen in SETS]
    assert sizes == [1, 5, 9, 9]
    for chosen in SETS:
        ids = [found.id for found in of(stack, chosen)]
        assert len(ids) == len(set(ids))
        assert set(ids) <= {found.id for found in of(stack, "all")}


@pytest.mark.parametrize("stack", ["flask", "express"])
def test_singles_show_each_answer(stack: str) -> None:
    shown = {item for found in of(stack, "singles") for item in chosen_answers(found).items()}
    assert shown == {(name, answer) for name, answers in ASKED.items() for answer in answers}


@pytest.mark.parametrize("stack", ["flask", "express"])
def test_pairs_show_each_pair(stack: str) -> None:
    expected = [dict(zip(ASKED, row, strict=True)) for row in AllPairs(list(ASKED.values()))]
    assert pairs([chosen_answers(found) for found in of(stack, "pairs")]) == pairs(expected)


def test_a_variant_fills_in_the_defaults() -> None:
    made = variant(stacks()["express"], database="mysql")
    assert made.id == "express-mysql-github"
    assert made.answers["project_slug"] == "my-app"


def test_a_variant_checks_its_answers() -> None:
    with pytest.raises(InvalidAnswer, match="choose from sqlite, postgresql, mysql"):
        variant(stacks()["flask"], database="oracle")
    with pytest.raises(TypeError, match="unknown options: colour"):
        variant(stacks()["flask"], colour="red")
