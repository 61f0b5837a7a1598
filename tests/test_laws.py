"""Laws: what must hold for each template by itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from trees import EVERY, STACKS, parse, rendered, strip_types, text, unrendered

from scaffold import __version__
from scaffold.stacks import Stack
from scaffold.variants import Variant

each_stack = pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
each_variant = pytest.mark.parametrize("variant", EVERY, ids=lambda variant: variant.id)

# Flask really depends on it; one file says what the project was made from; some call its checks.
TOLD = re.compile(
    r"requirements[\w-]*\.txt:\d+: jinja2|.*\.scaffold\.json"
    r"|(?:Makefile|README\.md|\.github/workflows/ci\.yml|\.gitlab-ci\.yml):\d+: scaffold"
)
MARKER = re.compile(r"[ \t]*(?:#|//) scaffold: (?:if cookiecutter\.(\w+) == '(\w+)'|endif)")
# An answer, or one of the values that belong to it.
VALUE = re.compile(r"\{\{ cookiecutter\.\w+(?:\[cookiecutter\.\w+\]\.\w+)? \}\}")
ROOT = Path(__file__).resolve().parent.parent
CODE = {".py", ".ts", ".js", ".sql"}
MUTANTS = sorted((ROOT / "tests" / "mutants").glob("*.toml"))


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    root = tmp_path_factory.mktemp("laws")
    return {variant.id: rendered(variant, root / variant.id) for variant in EVERY}


@each_stack
def test_the_template_says_who_it_is(stack: Stack) -> None:
    assert stack.settings["_stack"] == stack.name
    assert stack.settings["_template_version"] == __version__


@each_stack
def test_every_file_parses_unrendered(stack: Stack) -> None:
    wrong = []
    for name, path in unrendered(stack).items():
        try:
            parse(name, path.read_text(encoding="utf-8", errors="surrogateescape"))
        except Exception as error:
            wrong.append(f"{name}: {error}")
    scripts = [path for name, path in unrendered(stack).items() if name.endswith(".ts")]
    assert [*wrong, *strip_types(scripts)] == []


@each_stack
def test_files_are_plain_text_with_unix_lines(stack: Stack) -> None:
    wrong = []
    for name, path in unrendered(stack).items():
        data = path.read_bytes()
        if (
            path.is_symlink()
            or b"\r" in data
            or b"\0" in data
            or not data.endswith(b"\n" * bool(data))
        ):
            wrong.append(name)
    assert wrong == []


@each_stack
def test_markers_stand_in_seams_only(stack: Stack) -> None:
    marked = {
        name
        for name, path in unrendered(stack).items()
        if "scaffold:" in path.read_text(encoding="utf-8", errors="replace")
    }
    assert marked == set(stack.settings["_seams"])


@each_stack
def test_markers_are_plain_and_never_nested(stack: Stack) -> None:
    wrong = []
    for name in stack.settings["_seams"]:
        is_open = False
        for number, line in enumerate(text(stack, name).splitlines(), 1):
            if "scaffold:" not in line:
                continue
            marker = MARKER.fullmatch(line)
            opens = bool(marker and marker[1])
            known = not opens or marker[2] in stack.settings.get(marker[1], ())
            slashes = line.lstrip().startswith("//")
            if not marker or opens == is_open or not known or slashes != name.endswith(".ts"):
                wrong.append(f"{name}:{number}: {line.strip()}")
            is_open = opens
        if is_open:
            wrong.append(f"{name}: the last marker is not closed")
    assert wrong == []


@each_stack
def test_values_stand_in_manifests_and_config_only(stack: Stack) -> None:
    wrong = []
    for name, path in unrendered(stack).items():
        source = path.read_text(encoding="utf-8", errors="replace")
        rest = source if path.suffix in CODE else VALUE.sub("", source)
        wrong += [f"{name}: {found}" for found in re.findall(r"\{\{.*|\{%.*|\{#.*", rest)]
    assert wrong == []


@each_stack
def test_each_feature_path_exists_and_has_one_owner(stack: Stack) -> None:
    owned = [
        entry.partition(" -> ")[0]
        for features in stack.settings["_features"].values()
        for entries in features.values()
        for entry in entries
    ]
    assert [name for name in owned if not (stack.tree / name).exists()] == []
    assert sorted(owned) == sorted(set(owned))


@each_stack
@pytest.mark.parametrize("table", ["_features", "_words"])
def test_each_answer_has_its_row(stack: Stack, table: str) -> None:
    asked = {option.name: list(option.choices) for option in stack.options if option.choices}
    rows = {option: list(answers) for option, answers in stack.settings[table].items()}
    assert rows == asked


@each_stack
def test_each_database_has_the_same_values(stack: Stack) -> None:
    rows = {answer: set(row) for answer, row in stack.settings["_databases"].items()}
    assert list(rows) == stack.settings["database"]
    assert len(set(map(frozenset, rows.values()))) == 1, rows


@each_variant
def test_what_is_off_is_gone(variant: Variant, trees: dict[str, dict[str, bytes]]) -> None:
    table = variant.stack.settings["_words"]
    off = {
        word
        for option, answers in table.items()
        for answer, listed in answers.items()
        for word in listed
        if answer != variant.answers[option] and word not in table[option][variant.answers[option]]
    }
    wrong = _mentions(trees[variant.id], off)
    assert wrong == []


@each_variant
def test_nothing_tells_how_it_was_made(
    variant: Variant, trees: dict[str, dict[str, bytes]]
) -> None:
    wrong = [
        mention
        for mention in _mentions(trees[variant.id], {"cookiecutter", "jinja", "jinja2", "scaffold"})
        if not TOLD.match(mention)
    ]
    assert wrong == []


def _mentions(tree: dict[str, bytes], wanted: set[str]) -> list[str]:
    pattern = re.compile(
        rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, sorted(wanted)))})(?![a-z0-9])"
    )
    found = []
    for name, data in tree.items():
        lines = [(0, name), *enumerate(data.decode(errors="replace").splitlines(), 1)]
        for number, line in lines:
            match = pattern.search(line.lower())
            if match:
                found.append(f"{name}:{number}: {match[0]} in {line.strip()[:100]}")
    return found


@each_variant
def test_every_variant_parses(variant: Variant, trees: dict[str, dict[str, bytes]]) -> None:
    wrong = []
    for name, data in trees[variant.id].items():
        try:
            parse(name, data.decode(errors="surrogateescape"))
        except Exception as error:
            wrong.append(f"{name}: {error}")
    assert wrong == []


@each_variant
def test_every_variant_renders_the_same_again(
    variant: Variant, trees: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    assert rendered(variant, tmp_path / "again") == trees[variant.id]


@each_variant
def test_python_is_linted_and_formatted(variant: Variant, tmp_path: Path) -> None:
    project = tmp_path / "project"
    if not any(name.endswith(".py") for name in rendered(variant, project)):
        return
    ruff = shutil.which("ruff")
    assert ruff, "ruff is missing: install the extra `test` (make setup does)"
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", "."],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@each_stack
def test_scratch_never_ships(stack: Stack) -> None:
    manifest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    excluded = manifest["tool"]["hatch"]["build"]["exclude"]
    scratch = [
        name.removeprefix("**/") if name.startswith("**/") else f"/templates/*/*/{name}"
        for name in stack.settings["_scratch"]
    ]
    assert sorted(excluded) == sorted(scratch)


def test_no_project_can_be_named_like_a_dependency() -> None:
    everything = set().union(*map(_dependencies, STACKS))
    for stack in STACKS:
        reserved = stack.settings["_validation"]["project_slug"]["reserved"]
        assert reserved["a dependency of the project"] == sorted(everything)


def _dependencies(stack: Stack) -> set[str]:
    """Direct dependencies that a valid name could be mistaken for."""
    if stack.language == "Python":
        project = tomllib.loads(text(stack, "pyproject.toml"))
        extra = [spec for group in project.get("dependency-groups", {}).values() for spec in group]
        optional = project["project"].get("optional-dependencies", {}).values()
        extra += [spec for group in optional for spec in group]
        specs = project["project"]["dependencies"] + [s for s in extra if isinstance(s, str)]
        return {re.split(r"[^A-Za-z0-9._-]", spec)[0].lower().replace(".", "-") for spec in specs}
    package = json.loads(text(stack, "package.json"))
    names = {*package.get("dependencies", {}), *package.get("devDependencies", {})}
    return {name for name in names if not name.startswith("@")}


@pytest.mark.parametrize("path", MUTANTS, ids=lambda path: path.stem)
def test_every_mutant_still_fits_its_source(path: Path) -> None:
    """What a mutant changes is there, once; in files that are not made from several."""
    wrong = []
    for mutant in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
        for stack in STACKS:
            edit = mutant[stack.name]
            source = unrendered(stack).get(edit["file"])
            if not source:
                continue
            olds = [edit["old"]] if isinstance(edit["old"], str) else edit["old"]
            code = source.read_text(encoding="utf-8")
            wrong += [f"{mutant['name']}: {old}" for old in olds if code.count(old) != 1]
    assert wrong == []
