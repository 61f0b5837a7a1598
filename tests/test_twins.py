"""Laws: what must be equal between the templates, so that both read as one."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml
from trees import text, unrendered, words

import scaffold
from scaffold.stacks import Stack, stacks

FLASK, EXPRESS = stacks()["flask"], stacks()["express"]
# What both apps read or send as it is.
SHARED = re.compile(r"app/(?:data|static)/")
CONTRACT = Path(scaffold.__file__).parent / "contract" / "openapi.yaml"
# What a stack says about its own files and its own language.
OWN = {"_stack", "_language", "_features", "_databases", "_words", "_seams", "_jinja2_env_vars"}


def test_both_ask_the_same_questions() -> None:
    flask, express = (
        {key: value for key, value in stack.settings.items() if key not in OWN}
        for stack in (FLASK, EXPRESS)
    )
    assert list(FLASK.settings) == list(EXPRESS.settings)
    assert flask == express


def test_both_say_the_same_about_a_database() -> None:
    shared = set(FLASK.settings["_databases"]["sqlite"]) & set(
        EXPRESS.settings["_databases"]["sqlite"]
    )
    assert {"title", "url"} <= shared
    for answer in FLASK.settings["database"]:
        flask, express = (stack.settings["_databases"][answer] for stack in (FLASK, EXPRESS))
        for key in ("title", "url"):
            assert flask[key] == express[key]


@pytest.mark.parametrize("hook", ["pre_gen_project.py", "post_gen_project.py"])
def test_hooks_are_identical(hook: str) -> None:
    flask, express = ((stack.directory / "hooks" / hook).read_bytes() for stack in (FLASK, EXPRESS))
    assert flask == express


def test_both_promise_the_same_api() -> None:
    flask, express = (yaml.safe_load(text(stack, "openapi.yaml")) for stack in (FLASK, EXPRESS))
    assert flask == express


def test_the_promise_is_the_contract() -> None:
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    promised = yaml.safe_load(text(FLASK, "openapi.yaml"))
    # The title is the project's own name.
    contract.pop("info")
    promised.pop("info", None)
    assert promised == contract


def test_make_targets_are_equal() -> None:
    flask, express = (_targets(stack) for stack in (FLASK, EXPRESS))
    assert flask == express
    assert {"setup", "dev", "start", "test", "lint", "format", "types", "check", "migrate"} <= flask
    assert {"migration", "admin", "openapi", "image", "up", "down", "help"} <= flask


def _targets(stack: Stack) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text(stack, "Makefile"), re.MULTILINE))


def test_environments_are_equal() -> None:
    assert text(FLASK, ".env.example") == text(EXPRESS, ".env.example")


def test_data_and_pages_are_equal() -> None:
    flask, express = (
        {name: path.read_bytes() for name, path in unrendered(stack).items() if SHARED.match(name)}
        for stack in (FLASK, EXPRESS)
    )
    assert {"app/data/passwords.txt", "app/data/mail.html", "app/static/account.js"} <= set(flask)
    assert flask == express


@pytest.mark.parametrize(
    "name", [".editorconfig", ".gitattributes", "LICENSE", "SECURITY.md", "renovate.json"]
)
def test_shared_files_are_there(name: str) -> None:
    assert text(FLASK, name)
    assert text(EXPRESS, name)


def test_what_deploys_is_equal() -> None:
    flask, express = (_deployed(stack) for stack in (FLASK, EXPRESS))
    assert flask == express
    assert {"deploy/nginx.conf", "deploy/grafana/dashboard.json"} < set(flask)


def _deployed(stack: Stack) -> dict[str, str]:
    """The files of deploy/, but for the command that migrates."""
    (command,) = re.findall(r"command: (\[.*migrate\])", text(stack, "compose.yaml"))
    names = [name for name in unrendered(stack) if name.startswith("deploy/")]
    return {name: text(stack, name).replace(command, "[migrate]") for name in names}


@pytest.mark.parametrize("heading", ["Behind nginx", "On Kubernetes", "What to watch"])
def test_both_say_the_same_about_running_it(heading: str) -> None:
    flask, express = (
        re.findall(
            rf"^## {heading}\n(.*?)^## ",
            text(stack, "docs/production.md"),
            re.MULTILINE | re.DOTALL,
        )
        for stack in (FLASK, EXPRESS)
    )
    assert len(flask) == 1
    assert flask == express


def _modules(stack: Stack, suffix: str) -> dict[str, str]:
    """Source of each module of the app and of the server, by stem; empty packages left out."""
    found = {}
    for name, path in unrendered(stack).items():
        if path.suffix == suffix and (name.startswith("app/") or "/" not in name):
            stem = re.sub(r"(^|/)(__init__|index)$", r"\1index", name.removesuffix(suffix))
            source = path.read_text(encoding="utf-8")
            if source.strip():
                found[stem] = source
    return found


def test_stems_are_equal() -> None:
    flask, express = set(_modules(FLASK, ".py")), set(_modules(EXPRESS, ".ts"))
    assert sorted(flask ^ express) == []
    assert flask, "no module yet"
    assert [stem for stem in flask if not re.fullmatch(r"(?:[a-z0-9]+/)*[a-z0-9]+", stem)] == []


def test_first_sentences_are_equal() -> None:
    flask = {stem: _docstring(source) for stem, source in _modules(FLASK, ".py").items()}
    express = {stem: _comment(source) for stem, source in _modules(EXPRESS, ".ts").items()}
    shared = sorted(flask.keys() & express.keys())
    assert shared, "no module in both stacks yet"
    for stem in shared:
        assert flask[stem], f"app module {stem} opens without a sentence"
    assert {stem: flask[stem] for stem in shared} == {stem: express[stem] for stem in shared}


def _docstring(source: str) -> str:
    return (ast.get_docstring(ast.parse(source)) or "").split("\n", 1)[0]


def _comment(source: str) -> str:
    match = re.match(r"(?:#!.*\n)?/\*\*\s*(?:\*\s*)?(.+?)\s*(?:\*/|\n)", source)
    return match[1] if match else ""


def test_test_titles_are_equal() -> None:
    flask = _titles(FLASK, r"tests/test_(\w+)\.py", r"^\s*(?:async )?def test_(\w+)")
    express = _titles(
        EXPRESS, r"tests/(\w+)\.test\.ts", r"^\s*(?:await )?(?:test|it)\(\s*[\"'`](.+?)[\"'`],"
    )
    assert flask == express
    assert flask, "no test yet"


def _titles(stack: Stack, files: str, title: str) -> dict[str, set[str]]:
    found = {}
    for name, path in unrendered(stack).items():
        match = re.fullmatch(files, name)
        if match:
            source = path.read_text(encoding="utf-8")
            found[match[1]] = {words(found) for found in re.findall(title, source, re.MULTILINE)}
    return found


def test_manifests_of_each_database_add_up() -> None:
    whole = json.loads(text(EXPRESS, "package.json"))
    parts = [
        json.loads(text(EXPRESS, f"package.{database}.json"))
        for database in EXPRESS.settings["database"]
    ]
    for section in ("dependencies", "devDependencies", "overrides"):
        union: dict[str, object] = {}
        for part in parts:
            union |= part.get(section, {})
        assert whole.pop(section, {}) == union, section
        for part in parts:
            part.pop(section, None)
    assert [part for part in parts if part != whole] == []
