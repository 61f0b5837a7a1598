"""Trees of files as the laws look at them: unrendered, or rendered for a variant."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from scaffold.render import render
from scaffold.stacks import Stack, stacks
from scaffold.variants import Variant, variants

STACKS = list(stacks().values())
EVERY = variants("all")
PARSERS = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
    ".yml": lambda text: list(yaml.safe_load_all(text)),
}


def unrendered(stack: Stack) -> dict[str, Path]:
    """Every file of a template by its path, without what a run in place leaves behind."""
    scratch = set(stack.settings["_scratch"])

    def is_scratch(parts: tuple[str, ...]) -> bool:
        return parts[0] in scratch or any(f"**/{part}" in scratch for part in parts)

    found = {path.relative_to(stack.tree): path for path in sorted(stack.tree.rglob("*"))}
    return {
        name.as_posix(): path
        for name, path in found.items()
        if path.is_file() and not is_scratch(name.parts)
    }


def rendered(variant: Variant, target: Path) -> dict[str, bytes]:
    """Every file of the variant, rendered to `target`."""
    return {name: (target / name).read_bytes() for name in render(variant, target)}


def snapshot(root: Path) -> dict[str, tuple[int, bytes | None]]:
    """Permissions and bytes below `root`; like git, without directories that hold no file."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            found[path.relative_to(root).as_posix()] = (path.stat().st_mode, path.read_bytes())
        elif any(below.is_file() for below in path.rglob("*")):
            found[path.relative_to(root).as_posix()] = (path.stat().st_mode, None)
    return found


def text(stack: Stack, name: str) -> str:
    path = stack.tree / name
    assert path.is_file(), f"{stack.name} has no {name}"
    return path.read_text(encoding="utf-8")


def parse(name: str, source: str) -> None:
    """Parse what has a parser here; anything else passes."""
    suffix = Path(name).suffix
    if suffix == ".py":
        compile(source, name, "exec", dont_inherit=True)
    elif suffix in PARSERS:
        PARSERS[suffix](source)


def strip_types(paths: list[Path]) -> list[str]:
    """Say for each TypeScript file what Node finds wrong with it."""
    if not paths:
        return []
    done = subprocess.run(
        [node(), "--no-warnings", "--input-type=module", "-e", STRIP, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))


STRIP = """
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
const wrong = [];
for (const path of process.argv.slice(1)) {
  try { stripTypeScriptTypes(readFileSync(path, "utf8")); }
  catch (error) { wrong.push(`${path}: ${error.message}`); }
}
console.log(JSON.stringify(wrong));
"""


def node() -> str:
    """Find Node 24 or later: beside this Python (the `node` extra), else on PATH."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("node", path=beside) or shutil.which("node")
    assert found, "Node is missing: install the extra `node` (make setup does)"
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    assert int(version.stdout[1:].split(".")[0]) >= 24, f"{found} is older than Node 24"
    return found


def words(title: str) -> str:
    """Reduce a title to its lower-case words, so that both languages spell it alike."""
    return " ".join(re.findall(r"[a-z0-9]+", title.lower()))
