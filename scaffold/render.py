"""From a variant to a directory: the bytes stock cookiecutter would write, all or none."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scaffold.errors import CannotWrite, TargetTaken
from scaffold.text import Text
from scaffold.variants import Variant


def _go_on() -> None:
    """Never stop."""


def render(variant: Variant, target: Path, check: Callable[[], None] = _go_on) -> list[str]:
    """Write the project to `target` in one step and return its sorted relative paths.

    `target` must be absent or an empty directory (TargetTaken). `check` is called before each
    file and may raise to stop. When it does, or when the system refuses to store the project
    (CannotWrite), nothing stays behind.
    """
    draft = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    made: list[Path] = []
    try:
        _refuse_taken(target)
        _make_parents(draft, made)
        written = _write(variant, draft, check)
        _move(draft, target)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):
            for parent in reversed(made):
                parent.rmdir()
        if isinstance(error, OSError):
            raise CannotWrite(target, error) from error
        raise
    return sorted(written)


def _refuse_taken(target: Path) -> None:
    is_empty_directory = target.is_dir() and not any(target.iterdir())
    if target.is_symlink() or (target.exists() and not is_empty_directory):
        raise TargetTaken(target)


def _make_parents(draft: Path, made: list[Path]) -> None:
    missing = [parent for parent in draft.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        made.append(parent)
    draft.mkdir()


def _move(draft: Path, target: Path) -> None:
    if target.is_dir():
        shutil.copymode(target, draft)
        # Windows does not replace a directory, not even an empty one.
        if os.name == "nt":
            target.rmdir()
    draft.replace(target)


def _write(variant: Variant, draft: Path, check: Callable[[], None]) -> list[str]:
    text = Text(variant.stack.settings, variant.answers)
    written = []
    for source, unrendered in _files(variant):
        check()
        name = text.render(unrendered)
        path = draft / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.render_bytes(source.read_bytes()))
        path.chmod(stat.S_IMODE(source.stat().st_mode))
        written.append(name)
    check()
    return written


def _files(variant: Variant) -> Iterator[tuple[Path, str]]:
    """Each file of the template that the variant keeps, with the name it takes."""
    settings = variant.stack.settings
    dropped, renamed = _pruning(settings, variant.answers)
    skipped = dropped | set(renamed.values()) | set(settings["_scratch"])

    def walk(directory: Path, prefix: str) -> Iterator[tuple[Path, str]]:
        for entry in sorted(directory.iterdir()):
            name = prefix + entry.name
            if name in skipped or f"**/{entry.name}" in skipped:
                continue
            if entry.is_dir():
                yield from walk(entry, f"{name}/")
            else:
                yield entry, renamed.get(name, name)

    return walk(variant.stack.tree, "")


def _pruning(
    settings: Mapping[str, Any], answers: Mapping[str, str]
) -> tuple[set[str], dict[str, str]]:
    """What the post-generation hook does, told before a file is written."""
    dropped: set[str] = set()
    renamed: dict[str, str] = {}
    for option, features in settings["_features"].items():
        for answer, entries in features.items():
            for entry in entries:
                source, _, name = entry.partition(" -> ")
                if answer != answers[option]:
                    dropped.add(source)
                elif name:
                    renamed[source] = name
    return dropped, renamed
