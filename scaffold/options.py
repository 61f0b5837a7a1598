"""What a template asks: each option as `cookiecutter.json` declares it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scaffold.errors import InvalidAnswer

NAME = "project_slug"


@dataclass(frozen=True)
class Option:
    """One question: its default, its choices (none: free text) and its rule."""

    name: str
    default: str
    prompt: str
    choices: Mapping[str, str] = field(default_factory=dict)
    rule: Mapping[str, Any] = field(default_factory=dict)

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def label(self) -> str:
        return "name" if self.name == NAME else self.name.replace("_", " ")

    def check(self, value: str) -> str:
        """Return `value`, or raise InvalidAnswer when the option does not allow it."""
        reason = self._objection(value)
        if reason:
            raise InvalidAnswer(self.label, value, reason, self._suggestion(value))
        return value

    def _objection(self, value: str) -> str:
        if self.choices:
            return "" if value in self.choices else f"choose from {', '.join(self.choices)}"
        if not re.fullmatch(self.rule["pattern"], value) or len(value) > self.rule["length"]:
            return str(self.rule["hint"])
        for owner, names in self.rule.get("reserved", {}).items():
            if value in names:
                return f"it is reserved ({owner})"
        return ""

    def _suggestion(self, value: str) -> str:
        if self.name != NAME:
            return ""
        plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower())[: self.rule["length"]].strip("-")
        for candidate in (slug, f"{slug}-app", self.default):
            if not self._objection(candidate):
                return candidate
        return ""


def read(settings: Mapping[str, Any]) -> list[Option]:
    """List the options of a parsed `cookiecutter.json`, in its order."""
    return [_option(name, settings) for name in settings if not name.startswith("_")]


def _option(name: str, settings: Mapping[str, Any]) -> Option:
    declared, prompt = settings[name], settings["__prompts__"][name]
    if isinstance(declared, list):
        choices = {answer: prompt[answer] for answer in declared}
        return Option(name, declared[0], prompt["__prompt__"], choices)
    return Option(name, declared, prompt, rule=settings["_validation"][name])
