"""The words of the command line: which there are, and what they come to."""
# LEAD to CLI: STOP, read /work/spec/ASK.md (LEAD, 11:50): click parses, this module goes.

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from scaffold.errors import UsageError
from scaffold.stacks import stacks

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHELLS = ("bash", "zsh", "fish")
SETS = ("default", "singles", "pairs", "all")


class Parameter:
    """A flag, with a value (`metavar`) or without, or a word that needs no flag."""

    def __init__(
        self,
        *flags: str,
        metavar: str = "",
        choices: Iterable[str] = (),
        default: Any = None,
        convert: Callable[[str], Any] = str,
        kind: str = "",
        **more: Any,
    ) -> None:
        self.flags, self.metavar, self.choices = flags, metavar, tuple(choices)
        self.default, self.convert = default, convert
        # What completes it: "file" or "directory".
        self.kind = kind
        self.negative: str = more.get("negative", "")
        self.many: bool = more.get("many", False)
        self.env: str = more.get("env", "")
        self.name: str = more.get("name", "") or flags[0].lstrip("-").replace("-", "_")

    @property
    def takes_value(self) -> bool:
        return bool(self.metavar or self.choices)

    def read(self, value: str, command: str) -> Any:
        """Convert what was given, or raise UsageError."""
        shown = self.flags[0] if self.flags else self.metavar
        if self.choices and value not in self.choices:
            listed = ", ".join(map(repr, self.choices))
            problem = f"Invalid value for {shown!r}: {value!r} is not one of {listed}"
            raise UsageError(problem, command, shown)
        try:
            return self.convert(value)
        except ValueError as error:
            problem = f"Invalid value for {shown!r}: {value!r} {error}"
            raise UsageError(problem, command, shown) from error


def number(kind: Callable[[str], float], low: float, high: float) -> Callable[[str], float]:
    """A conversion to a number from `low` to `high`."""

    def convert(value: str) -> float:
        try:
            found = kind(value)
        except ValueError:
            found = high + 1
        if not low <= found <= high:
            raise ValueError(f"is not a number from {low} to {high}")
        return found

    return convert


JSON = Parameter("--json", default=False)


def _stack() -> Parameter:
    return Parameter("--stack", choices=stacks())


def _new() -> list[Parameter]:
    # Every stack asks the same questions: a law sees to it.
    asked = next(iter(stacks().values())).options
    return [
        Parameter(metavar="NAME", name="project_slug"),
        _stack(),
        *(
            Parameter(option.flag, metavar="TEXT", choices=option.choices, name=option.name)
            for option in asked[1:]
        ),
        Parameter("--answers", metavar="FILE", kind="file"),
        Parameter("--set", metavar="KEY=VALUE", many=True),
        Parameter("--output", "-o", metavar="DIR", kind="directory", default="."),
        Parameter("--dry-run", default=False),
        Parameter("--install", negative="--no-install"),
        Parameter("--git", negative="--no-git"),
        Parameter("--no-input", default=False),
        JSON,
    ]


def _verify() -> list[Parameter]:
    admin, metrics = "SCAFFOLD_ADMIN_TOKEN", "SCAFFOLD_METRICS_TOKEN"
    chapter, wait = number(int, 1, 10), number(float, 0, 600)
    return [
        Parameter("--url", metavar="URL"),
        Parameter("--public-url", metavar="URL"),
        Parameter("--mail-dir", metavar="DIR", kind="directory"),
        Parameter("--admin-token", metavar="TOKEN", default="", env=admin),
        Parameter("--cors-origin", metavar="ORIGIN", default=""),
        Parameter("--metrics-token", metavar="TOKEN", default="", env=metrics),
        Parameter("--chapter", metavar="N", convert=chapter, many=True, name="chapters"),
        Parameter("--wait", metavar="SECONDS", convert=wait, default=0),
        JSON,
        Parameter("--junit", metavar="FILE", kind="file"),
    ]


COMMANDS: dict[str, tuple[str, Callable[[], list[Parameter]]]] = {
    "new": ("make a project", _new),
    "doctor": ("what this machine has, and what it lacks", lambda: [_stack(), JSON]),
    "options": ("what can be chosen, and the defaults", lambda: [_stack(), JSON]),
    "variants": (
        "what can be made, one variant a line",
        lambda: [Parameter("--set", choices=SETS, default="all"), JSON],
    ),
    "verify": ("try the contract on a running app", _verify),
    "completion": (
        "words for the Tab key",
        lambda: [Parameter(metavar="SHELL", choices=SHELLS, name="shell"), JSON],
    ),
    "schema": (
        "the JSON Schema of what --json prints",
        lambda: [Parameter(metavar="COMMAND", choices=(*COMMANDS, "error"), name="command"), JSON],
    ),
}


class Help(Exception):
    """Help was asked for, of this command or of none."""


def parse(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Take the words after `scaffold` apart, or raise UsageError; Help when that is wanted."""
    first = words[0]
    if first in {"-h", "--help"}:
        raise Help("")
    if first not in COMMANDS:
        what = "option" if first.startswith("-") else "command"
        raise UsageError(f"No such {what} {first!r}", "scaffold", "", near(first, COMMANDS))
    return first, _Words(first, words[1:]).values()


class _Words:
    def __init__(self, command: str, words: list[str]) -> None:
        self.command, self.words = f"scaffold {command}", words
        found = COMMANDS[command][1]()
        self.places = [each for each in found if not each.flags]
        self.flags = {flag: (each, True) for each in found for flag in each.flags}
        self.flags |= {each.negative: (each, False) for each in found if each.negative}
        # A list of its own for each that may come again.
        self.found: dict[str, Any] = {
            each.name: [] if each.many else os.environ.get(each.env) or each.default
            for each in found
        }

    def values(self) -> dict[str, Any]:
        plain = False
        while self.words:
            word = self.words.pop(0)
            if plain or word == "-" or not word.startswith("-"):
                self._place(word)
            elif word == "--":
                plain = True
            elif word in {"-h", "--help"}:
                raise Help(self.command.split()[-1])
            else:
                self._flag(word)
        return self.found

    def _place(self, word: str) -> None:
        if not self.places:
            problem = f"Got unexpected extra argument ({word})"
            raise UsageError(problem, self.command)
        parameter = self.places.pop(0)
        self.found[parameter.name] = parameter.read(word, self.command)

    def _flag(self, word: str) -> None:
        flag, equals, value = word.partition("=")
        if not word.startswith("--"):
            flag, equals, value = word[:2], word[2:], word[2:]
        if flag not in self.flags:
            close = near(flag, self.flags)
            raise UsageError(f"No such option {flag!r}", self.command, flag, close)
        parameter, on = self.flags[flag]
        if not parameter.takes_value:
            if equals:
                raise UsageError(f"Option {flag!r} takes no value", self.command, flag)
            self.found[parameter.name] = on
            return
        if not equals:
            if not self.words:
                raise UsageError(f"Option {flag!r} requires an argument", self.command, flag)
            value = self.words.pop(0)
        read = parameter.read(value, self.command)
        if parameter.many:
            self.found[parameter.name].append(read)
        else:
            self.found[parameter.name] = read


def near(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    # Late: only mistakes need it.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1)), "")
