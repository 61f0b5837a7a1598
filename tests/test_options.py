"""Options: what may be answered, and what is said about the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import Environment
from packaging.utils import canonicalize_name

from scaffold.errors import InvalidAnswer
from scaffold.options import Option
from scaffold.stacks import stacks
from scaffold.variants import Variant

FLASK = stacks()["flask"]
OPTIONS = {option.name: option for option in FLASK.options}
NAME = OPTIONS["project_slug"]
REFUSAL = re.compile(r"The \w+ .+ (?:cannot be used|is reserved).*[.]", re.DOTALL)
ANYTHING = st.text(max_size=130)


def accepts(option: Option, value: str) -> bool:
    try:
        return option.check(value) == value
    except InvalidAnswer:
        return False


def hook_accepts(**answers: str) -> bool:
    """Run the pre-generation hook, as stock cookiecutter would, on these answers."""
    source = (FLASK.directory / "hooks" / "pre_gen_project.py").read_text(encoding="utf-8")
    defaults = {option.name: option.default for option in FLASK.options}
    variant = Variant(FLASK, defaults | answers)
    script = Environment(autoescape=False).from_string(source)  # noqa: S701
    code = script.render(cookiecutter=FLASK.settings | dict(variant.answers))
    try:
        exec(compile(code, "pre_gen_project.py", "exec"), {})  # noqa: S102
    except SystemExit as refusal:
        return not REFUSAL.fullmatch(str(refusal))
    return True


def test_options_come_from_the_declaration_in_its_order() -> None:
    assert list(OPTIONS) == [key for key in FLASK.settings if not key.startswith("_")]
    assert OPTIONS["database"].default == "sqlite"
    assert list(OPTIONS["ci"].choices) == ["github", "gitlab", "none"]
    assert OPTIONS["contact_email"].flag == "--contact-email"


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_every_default_is_allowed(option: Option) -> None:
    assert option.check(option.default) == option.default


@pytest.mark.parametrize("name", ["a", "shop", "my-shop", "my_shop", "shop2", "2fa", "a" * 100])
def test_good_names_are_taken(name: str) -> None:
    assert accepts(NAME, name)
    assert hook_accepts(project_slug=name)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("", "my-app"),
        (".", "my-app"),
        ("..", "my-app"),
        ("/", "my-app"),
        ("/etc/shop", "etc-shop"),
        ("../evil", "evil"),
        ("a/b", "a-b"),
        ("a\\b", "a-b"),
        ("C:shop", "c-shop"),
        ("My Shop", "my-shop"),
        ("Café", "cafe"),
        ("店", "my-app"),
        ("shop\n", "shop"),
        ("shop ", "shop"),
        ("shop.", "shop"),
        ("-shop", "shop"),
        ("_shop", "shop"),
        (".shop", "shop"),
        ("a..b", "a-b"),
        ("node_modules", "node-modules"),
        ("favicon.ico", "favicon-ico"),
        ("http", "http-app"),
        ("con", "con-app"),
        ("nul.txt", "nul-txt"),
        ("COM1", "com1-app"),
        ("lpt9", "lpt9-app"),
        ("flask", "flask-app"),
        ("a" * 101, "a" * 100),
        ("x" * 99 + "-y", "x" * 99),
        ("\ud800", "my-app"),
        ("a\x00b", "a-b"),
    ],
)
def test_bad_names_are_refused_with_a_suggestion(name: str, suggestion: str) -> None:
    with pytest.raises(InvalidAnswer) as refusal:
        NAME.check(name)
    assert refusal.value.message.endswith(f"; try {suggestion!r}.")
    assert accepts(NAME, suggestion)
    if "\ud800" not in name:
        assert not hook_accepts(project_slug=name)


@given(ANYTHING)
@example("\u017fhop")
@example("a--b")
def test_a_name_taken_is_good_everywhere(name: str) -> None:
    if accepts(NAME, name):
        assert Path(name).name == name
        assert re.fullmatch(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", name)  # Python and npm
        assert re.fullmatch(r"[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*", name)  # image and compose
        assert canonicalize_name(name, validate=True)
    else:
        assert accepts(NAME, NAME.suggestion(name))


@pytest.mark.parametrize("name", ["description", "author_name"])
@pytest.mark.parametrize(
    "value",
    [
        *("", " x", "x ", 'say "x"', "it's", "a\\b", "{x}", "<b>", "a\nb", "a\x1b[0m", "`x`"),
        *("x" * 121, "a\u2028b", "a\u202eb", "\ud800", "x # scaffold: endif", "\ufeffx"),
    ],
)
def test_bad_text_is_refused(name: str, value: str) -> None:
    assert not accepts(OPTIONS[name], value)


@pytest.mark.parametrize(
    "value", ["x", "x" * 120, "Größe & Söhne: C#, 100 %", "O\u2019Brien, 山田"]
)
def test_good_text_is_taken(value: str) -> None:
    assert accepts(OPTIONS["description"], value)
    assert hook_accepts(description=value)


@pytest.mark.parametrize("value", ["", "a", "a@b", "a b@c.de", "a@c.de\n", "a@-c.de", "<a@c.de>"])
def test_bad_addresses_are_refused(value: str) -> None:
    assert not accepts(OPTIONS["contact_email"], value)


@given(st.sampled_from(["project_slug", "description", "author_name", "contact_email"]), ANYTHING)
@example("project_slug", "shop\n")
def test_the_hook_agrees(name: str, value: str) -> None:
    assert hook_accepts(**{name: value}) == accepts(OPTIONS[name], value)
