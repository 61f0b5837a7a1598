"""Text: replacing by pattern gives what Jinja gives, or leaves it to Jinja."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError
from trees import STACKS

from scaffold.stacks import Stack, stacks
from scaffold.text import Text
from scaffold.variants import variant

PIECES = st.lists(
    st.sampled_from(
        [
            *("a", "  ", "\t", "\n", "\n\n", "\x0b", "\x0c", "é", "#", "//", "{", "}}", "'"),
            *("# scaffold: if cookiecutter.database == 'mysql'\n", "# scaffold: endif\n"),
            *("// scaffold: if cookiecutter.ci == 'github'\n", "// scaffold: endif\n"),
            *("# scaffold: endif", "# scaffold:", "# scaffold: else\n", "// scaffold: "),
            *("  # scaffold: endif\n\n", "# scaffold: if cookiecutter.ci == 'github' \n\n  \n x"),
            *("{{ cookiecutter.ci }}", "{{ cookiecutter.nothing }}", "{{cookiecutter.ci}}"),
            *("{{ cookiecutter._databases[cookiecutter.database].title }}", "{{", "{#", "{# x #}"),
            *("{{ cookiecutter._databases[cookiecutter.database].nothing }}", "{%", "{{ 1 + 1 }}"),
        ]
    ),
    max_size=12,
).map("".join)


def outcome(render: object, text: str) -> str:
    try:
        return render(text)  # type: ignore[operator, no-any-return]
    except TemplateError as error:
        return type(error).__name__


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
@settings(max_examples=600, deadline=None)
@given(PIECES)
@example("x # scaffold: if cookiecutter.ci == 'github'\ny\n# scaffold: endif\n")
@example("{{{ cookiecutter.ci }}")
@example("a\n\n  # scaffold: if cookiecutter.ci == 'github'\n\n\n  b\n# scaffold: endif\n\n c")
def test_patterns_agree_with_jinja(stack: Stack, text: str) -> None:
    made = variant(stack)
    ours = Text(stack.settings, made.answers)
    assert outcome(ours.render, text) == outcome(ours._by_jinja, text)


def test_the_templates_do_not_need_jinja() -> None:
    seen = """
import sys, pathlib, tempfile
from scaffold.render import render
from scaffold.variants import variants
for made in variants("all"):
    with tempfile.TemporaryDirectory() as place:
        render(made, pathlib.Path(place) / "app")
print([name for name in ("jinja2", "cookiecutter", "requests", "rich") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_is_not_plain_goes_to_jinja() -> None:
    flask = stacks()["flask"]
    text = Text(flask.settings, variant(flask).answers)
    assert text.render("{{ cookiecutter.project_slug | upper }}{# gone #}") == "MY-APP"
