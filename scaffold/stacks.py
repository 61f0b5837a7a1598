"""The stacks on offer: a template directory each, and the commands of its projects."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache, cached_property

from scaffold import options

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

DECLARATION = "cookiecutter.json"

# The same words on every stack: the Makefile of the project knows what they mean there.
COMMANDS = {
    "install": ("make", "setup"),
    "migrate": ("make", "migrate"),
    "dev": ("make", "dev"),
    "start": ("make", "start"),
    "test": ("make", "check"),
}


class Stack:
    """A template and what it declares about itself."""

    def __init__(self, name: str, directory: str | Path) -> None:
        self.name, self._place = name, os.fspath(directory)

    @cached_property
    def directory(self) -> Path:
        # Late: completion does without.
        from pathlib import Path

        return Path(self._place)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The parsed `cookiecutter.json`."""
        with open(os.path.join(self._place, DECLARATION), encoding="utf-8") as file:
            return dict(json.load(file))

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
    place = _templates()
    # Flask first: the order in which the documents name them.
    names = sorted(os.listdir(place), reverse=True)
    found = {name: os.path.join(place, name) for name in names}
    return {
        name: Stack(name, path)
        for name, path in found.items()
        if os.path.exists(os.path.join(path, DECLARATION))
    }


def _templates() -> str:
    """The wheel carries the templates inside the package; a checkout beside it."""
    package = os.path.dirname(os.path.realpath(__file__))
    inside = os.path.join(package, "templates")
    if os.path.isdir(inside):
        return inside
    return os.path.join(os.path.dirname(package), "templates")
