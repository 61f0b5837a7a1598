"""Text as stock cookiecutter renders it: by pattern where that is sure, else by Jinja."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from jinja2 import Environment

# Jinja's own, where a template does not say otherwise.
STARTS = {"block_start_string": "{%", "variable_start_string": "{{", "comment_start_string": "{#"}
PREFIXES = ("line_statement_prefix", "line_comment_prefix")
STATEMENT = r"(?:if cookiecutter\.(?P<{0}option>\w+) == '(?P<{0}answer>\w+)'|endif)"
VALUE = (
    r"(?<!\{)\{\{ cookiecutter\.(?P<key>\w+)"
    r"(?:\[cookiecutter\.(?P<row>\w+)\]\.(?P<field>\w+))? \}\}"
)


class Text:
    """Renders with the settings and the answers of one variant.

    Importing Jinja and compiling every file takes longer than all the rest of making a
    project, so markers and values as the laws allow them are replaced by pattern. Whatever
    else looks like the start of something goes to Jinja.
    """

    def __init__(self, settings: Mapping[str, Any], answers: Mapping[str, str]) -> None:
        public = {key: value for key, value in settings.items() if key != "__prompts__"}
        self._context = public | dict(answers)
        self._syntax = syntax = settings["_jinja2_env_vars"]
        starts = STARTS | {key: syntax[key] for key in (*STARTS, *PREFIXES) if key in syntax}
        self._starts = tuple(starts.values())
        self._special = (b"\r", *(start.encode() for start in self._starts))
        self._known = re.compile("|".join(self._patterns(syntax)), re.MULTILINE)

    @staticmethod
    def _patterns(syntax: Mapping[str, Any]) -> list[str]:
        patterns = [VALUE]
        if syntax.get("block_end_string") == "\n" and syntax.get("lstrip_blocks"):
            start = re.escape(syntax["block_start_string"])
            patterns.append(rf"^[ \t]*{start}{STATEMENT.format('block_')}\n")
        if "line_statement_prefix" in syntax:
            # As Jinja ends a line statement: the empty lines after it belong to it.
            start = re.escape(syntax["line_statement_prefix"])
            patterns.append(rf"^[ \t\v]*{start} {STATEMENT.format('line_')}\s*(?:\n|$)")
        return patterns

    def render(self, text: str) -> str:
        """Render `text`; without the start of anything it is returned as it is."""
        if not self._starts_something(text):
            return text
        if self._starts_something(self._known.sub("\n", text)):
            return self._by_jinja(text)
        try:
            return self._by_pattern(text)
        except LookupError:
            # Undefined or unbalanced: Jinja says it better.
            return self._by_jinja(text)

    def render_bytes(self, data: bytes) -> bytes:
        """Render text with its line ends as `\\n`, and leave everything else as it is."""
        if not any(special in data for special in self._special):
            return data
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return data
        if "\0" in text:
            return data
        return self.render(text.replace("\r\n", "\n").replace("\r", "\n")).encode("utf-8")

    def _starts_something(self, text: str) -> bool:
        return any(start in text for start in self._starts)

    def _by_pattern(self, text: str) -> str:
        kept: list[str] = []
        position, inside, chosen = 0, False, True
        for token in self._known.finditer(text):
            if chosen:
                kept.append(text[position : token.start()])
            position = token.end()
            found = token.groupdict()
            option = found.get("block_option") or found.get("line_option")
            if found["key"]:
                kept.append(self._value(found) if chosen else "")
            elif inside == bool(option):
                raise LookupError("unbalanced")
            else:
                inside = bool(option)
                answer = found.get("block_answer") or found.get("line_answer")
                chosen = not option or self._context[option] == answer
        if inside:
            raise LookupError("unbalanced")
        return "".join([*kept, text[position:]])

    def _value(self, found: Mapping[str, str]) -> str:
        value = self._context[found["key"]]
        if found["row"]:
            value = value[self._context[found["row"]]][found["field"]]
        return str(value)

    def _by_jinja(self, text: str) -> str:
        return self._environment.from_string(text).render(cookiecutter=self._context)

    @cached_property
    def _environment(self) -> Environment:
        # Late: the templates as they are never need it.
        from jinja2 import Environment, StrictUndefined

        return Environment(  # noqa: S701 (no HTML: text as it is)
            undefined=StrictUndefined, keep_trailing_newline=True, **self._syntax
        )
