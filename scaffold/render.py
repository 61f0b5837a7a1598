"""From a variant to a directory: the bytes stock cookiecutter would write, all or none."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from scaffold.errors import CannotWrite, TargetTaken
from scaffold.options import NAME
from scaffold.text import Text
from scaffold.variants import Variant

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _go_on() -> None:
    """Never stop."""


def leave(_draft: Path) -> None:
    """Add nothing."""


def render(
    variant: Variant,
    target: Path,
    check: Callable[[], None] = _go_on,
    finish: Callable[[Path], None] = leave,
) -> list[str]:
    """Write the project to `target` in one step and return its sorted relative paths.

    `target` must be absent or a directory without anything but `.git` (TargetTaken). `check` is
    called before each file and may raise to stop, as may `finish`, which is given the complete
    project before it takes its place. When they do, or when the system refuses to store the
    project (CannotWrite), nothing stays behind.
    """
    made: list[Path] = []
    draft = None
    try:
        _refuse_taken(target)
        draft = _draft(target, variant.answers[NAME])
        _make_parents(draft, made)
        written = _write(variant, draft, check)
        finish(draft)
        check()
        _move(draft, target)
    except BaseException as error:
        if draft:
            # Late: mishaps only.
            import shutil

            shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):
            for parent in reversed(made):
                parent.rmdir()
        if isinstance(error, OSError):
            raise CannotWrite(target, error) from error
        raise
    return sorted(written)


def contents(
    variant: Variant, check: Callable[[], None] = _go_on
) -> Iterator[tuple[str, int, bytes]]:
    """Each file of the project: its relative path, its permissions and its bytes."""
    text = Text(variant.stack.settings, variant.answers)
    for source, unrendered in _files(variant):
        check()
        with open(source, "rb") as file:
            data, mode = file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        yield text.render(unrendered), mode, text.render_bytes(data)


def _draft(target: Path, name: str) -> Path:
    """Where the project is written first: on the same disk, where we may write."""
    draft = f".{name}.{os.urandom(6).hex()}"
    # A directory that is there may be somebody's working directory: it stays, and is filled.
    return target / draft if target.is_dir() else target.parent / draft


def refuse_taken(target: Path) -> None:
    """Raise TargetTaken where `render` would."""
    try:
        _refuse_taken(target)
    except OSError as error:
        raise CannotWrite(target, error) from error


def _refuse_taken(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not _is_free(target)):
        raise TargetTaken(target)


def _is_free(target: Path, *draft: str) -> bool:
    """Whether nothing is there but a repository that waits for its first files."""
    return target.is_dir() and not {path.name for path in target.iterdir()} - {".git", *draft}


def _make_parents(draft: Path, made: list[Path]) -> None:
    missing = [parent for parent in draft.parents if not parent.exists()]
    for parent in reversed(missing):
        # `x/..` is there as soon as `x` is.
        if not parent.exists():
            parent.mkdir()
            made.append(parent)
    draft.mkdir()


def _move(draft: Path, target: Path) -> None:
    if draft.parent != target:
        draft.rename(target)
        return
    if not _is_free(target, draft.name):
        raise FileExistsError(errno.EEXIST, "somebody else writes there")
    moved = []
    try:
        for path in sorted(draft.iterdir()):
            path.rename(target / path.name)
            moved.append(path)
        draft.rmdir()
    except OSError:
        for path in moved:
            (target / path.name).rename(path)
        raise


def _write(variant: Variant, draft: Path, check: Callable[[], None]) -> list[str]:
    written = []
    directories = {""}
    for name, mode, data in contents(variant, check):
        directory = name.rpartition("/")[0]
        if directory not in directories:
            os.makedirs(f"{draft}/{directory}", exist_ok=True)
            directories.add(directory)
        path = f"{draft}/{name}"
        with open(path, "xb") as file:
            file.write(data)
        os.chmod(path, mode)
        written.append(name)
    check()
    return written


def _files(variant: Variant) -> Iterator[tuple[str, str]]:
    """Each file of the template that the variant keeps, with the name it takes."""
    settings = variant.stack.settings
    dropped, renamed = _pruning(settings, variant.answers)
    skipped = dropped | set(renamed.values()) | set(settings["_scratch"])

    def walk(directory: str, prefix: str) -> Iterator[tuple[str, str]]:
        for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
            name = prefix + entry.name
            if name in skipped or f"**/{entry.name}" in skipped:
                continue
            if entry.is_dir():
                yield from walk(entry.path, f"{name}/")
            else:
                yield entry.path, renamed.get(name, name)

    return walk(str(variant.stack.tree), "")


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
