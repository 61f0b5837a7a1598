"""Text as stock cookiecutter renders it: by pattern where that is sure, else by Jinja."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from jinja2 import Environment

# Jinja's own, where a template does not say otherwise.
STARTS = {"block_start_string": "{%", "variable_start_string": "{{", "comment_start_string": "{#"}
PREFIXES = ("line_statement_prefix", "line_comment_prefix")
STATEMENT = r"(?:if cookiecutter\.(?P<option>\w+) == '(?P<answer>\w+)'|endif)"
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
        self._value_at = re.compile(VALUE)
        self._statements = [re.compile(each, re.MULTILINE) for each in self._patterns(syntax)]

    @staticmethod
    def _patterns(syntax: Mapping[str, Any]) -> list[str]:
        patterns = []
        if syntax.get("block_end_string") == "\n" and syntax.get("lstrip_blocks"):
            start = re.escape(syntax["block_start_string"])
            patterns.append(rf"^[ \t]*{start}{STATEMENT}\n")
        if "line_statement_prefix" in syntax:
            # As Jinja ends a line statement: the empty lines after it belong to it.
            start = re.escape(syntax["line_statement_prefix"])
            patterns.append(rf"^[ \t\v]*{start} {STATEMENT}\s*(?:\n|$)")
        return patterns

    def render(self, text: str) -> str:
        """Render `text`; without the start of anything it is returned as it is."""
        if not self._starts_something(text):
            return text
        try:
            return self._by_pattern(text)
        except LookupError:
            # Unknown, undefined or unbalanced: Jinja knows it, or says it better.
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
        for token in self._tokens(text):
            if chosen:
                kept.append(text[position : token.start()])
            position = token.end()
            found = token.groupdict()
            if "key" in found:
                kept.append(self._value(found) if chosen else "")
            elif inside == bool(found["option"]):
                raise LookupError("unbalanced")
            else:
                inside = bool(found["option"])
                chosen = not inside or self._context[found["option"]] == found["answer"]
        if inside:
            raise LookupError("unbalanced")
        return "".join([*kept, text[position:]])

    def _tokens(self, text: str) -> Iterator[re.Match[str]]:
        """Each marker and value, or LookupError at what is neither."""
        end = 0
        # Searching for the starts alone is much quicker than trying patterns at each place.
        while (at := self._next(text, end)) >= 0:
            token = self._value_at.match(text, at)
            line = text.rfind("\n", 0, at) + 1
            for statement in () if token or line < end else self._statements:
                token = token or statement.match(text, line)
            if not token or token.end() <= at:
                raise LookupError("unknown")
            yield token
            end = token.end()

    def _next(self, text: str, position: int) -> int:
        return min((at for at in self._found(text, position) if at >= 0), default=-1)

    def _found(self, text: str, position: int) -> Iterator[int]:
        return (text.find(start, position) for start in self._starts)

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
