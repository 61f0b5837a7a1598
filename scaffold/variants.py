"""The variants of a stack: an answer to every option, and the sets worth trying."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

from scaffold.stacks import Stack, stacks

SETS = ("default", "singles", "pairs", "all")


class Variant:
    """A stack and an answer to each of its options."""

    # No dataclass: importing that takes longer than making a project.
    def __init__(self, stack: Stack, answers: Mapping[str, str]) -> None:
        self.stack, self.answers = stack, answers

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Variant):
            return NotImplemented
        return (self.stack, self.answers) == (other.stack, other.answers)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def id(self) -> str:
        """Stack and chosen answers, like `flask-sqlite-github`."""
        chosen = [self.answers[option.name] for option in self.stack.options if option.choices]
        return "-".join([self.stack.name, *chosen])


def variant(stack: Stack, **answers: str) -> Variant:
    """Fill in the defaults and check every answer (InvalidAnswer when one is not allowed)."""
    unknown = set(answers) - {option.name for option in stack.options}
    if unknown:
        raise TypeError(f"unknown options: {', '.join(sorted(unknown))}")
    return Variant(
        stack,
        {
            option.name: option.check(answers.get(option.name, option.default))
            for option in stack.options
        },
    )


def variants(chosen: str = "all") -> list[Variant]:
    """List the variants of a set, over all stacks.

    `default`: nothing chosen. `singles`: besides, each answer once on its own.
    `pairs`: every two answers to two options together at least once. `all`: everything.
    """
    pick = {"default": _default, "singles": _singles, "pairs": _pairs, "all": _all}[chosen]
    return [found for stack in stacks().values() for found in pick(stack)]


def _default(stack: Stack) -> list[Variant]:
    return [variant(stack)]


def _singles(stack: Stack) -> list[Variant]:
    return _default(stack) + [
        variant(stack, **{option.name: answer})
        for option in stack.options
        for answer in option.choices
        if answer != option.default
    ]


def _all(stack: Stack) -> list[Variant]:
    asked = [option for option in stack.options if option.choices]
    return [
        variant(stack, **{option.name: answer for option, answer in zip(asked, row, strict=True)})
        for row in product(*(option.choices for option in asked))
    ]


def _pairs(stack: Stack) -> list[Variant]:
    """Take, again and again, the variant that shows the most pairs not seen yet."""
    rest = {found.id: (found, _shown(found)) for found in _all(stack)}
    missing = set().union(*(shown for _, shown in rest.values()))
    picked = []
    while missing:
        best = max(rest, key=lambda key: len(rest[key][1] & missing))
        found, shown = rest.pop(best)
        picked.append(found)
        missing -= shown
    return picked


def _shown(found: Variant) -> set[tuple[tuple[str, str], ...]]:
    chosen = [(o.name, found.answers[o.name]) for o in found.stack.options if o.choices]
    return set(combinations(chosen, 2))
