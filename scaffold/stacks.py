"""The stacks on offer: a template directory each, and the commands of its projects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from scaffold import options

DECLARATION = "cookiecutter.json"

# The same words on every stack: the Makefile of the project knows what they mean there.
COMMANDS = {
    "install": ("make", "setup"),
    "migrate": ("make", "migrate"),
    "dev": ("make", "dev"),
    "start": ("make", "start"),
    "test": ("make", "check"),
}


@dataclass(frozen=True)
class Stack:
    """A template and what it declares about itself."""

    name: str
    directory: Path

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The parsed `cookiecutter.json`."""
        text = (self.directory / DECLARATION).read_text(encoding="utf-8")
        return dict(json.loads(text))

    @cached_property
    def options(self) -> list[options.Option]:
        return options.read(self.settings)

    @property
    def language(self) -> str:
        return str(self.settings["_language"])

    @property
    def tree(self) -> Path:
        """The directory that becomes the project."""
        return self.directory / "{{cookiecutter.project_slug}}"

    @property
    def commands(self) -> Mapping[str, tuple[str, ...]]:
        """What to run in a project, by purpose, as argument lists."""
        return COMMANDS


@cache
def stacks() -> dict[str, Stack]:
    """Every stack by name; a directory with a declaration is a stack."""
    found = sorted(path.parent for path in _templates().glob(f"*/{DECLARATION}"))
    # Flask first: the order in which the documents name them.
    ordered = sorted(found, key=lambda path: path.name, reverse=True)
    return {path.name: Stack(path.name, path) for path in ordered}


def _templates() -> Path:
    """The wheel carries the templates inside the package; a checkout beside it."""
    package = Path(__file__).resolve().parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"
