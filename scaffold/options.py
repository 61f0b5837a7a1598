"""What a template asks: each option as `cookiecutter.json` declares it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scaffold.errors import InvalidAnswer

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "project_slug"


class Option:
    """One question: its default, its choices (none: free text) and its rule."""

    # No dataclass: importing that takes longer than making a project.
    def __init__(
        self,
        name: str,
        default: str,
        prompt: str,
        choices: Mapping[str, str] | None = None,
        rule: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.default, self.prompt = name, default, prompt
        self.choices, self.rule = choices or {}, rule or {}

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def label(self) -> str:
        return "name" if self.name == NAME else self.name.replace("_", " ")

    def check(self, value: str) -> str:
        """Return `value`, or raise InvalidAnswer when the option does not allow it."""
        reason = self.objection(value)
        if reason:
            named = "NAME" if self.name == NAME else self.flag
            raise InvalidAnswer(self.label, value, reason, self.suggestion(value), named)
        return value

    def objection(self, value: str) -> str:
        """Say why `value` is not allowed; nothing when it is."""
        if self.choices:
            return "" if value in self.choices else f"choose from {', '.join(self.choices)}"
        if not re.fullmatch(self.rule["pattern"], value) or len(value) > self.rule["length"]:
            return str(self.rule["hint"])
        for owner, names in self.rule.get("reserved", {}).items():
            if value in names:
                return f"it is reserved ({owner})"
        return ""

    def suggestion(self, value: str) -> str:
        """The allowed name that is nearest to `value`; nothing for other options."""
        if self.name != NAME:
            return ""
        # Late: few names need it.
        import unicodedata

        plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower())[: self.rule["length"]].strip("-")
        for candidate in (slug, f"{slug}-app", self.default):
            if not self.objection(candidate):
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
