"""Texts that are shown as they are: help, one page a command, and completion scripts."""

from __future__ import annotations

import os

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

# Named here, so that showing one reads nothing else.
PAGES = ("new", "doctor", "options", "variants", "verify", "completion", "schema")
SHELLS = ("bash", "zsh", "fish")


def page(command: str) -> str:
    """The page of a command; without one, of all of them."""
    return _read("help", command or "scaffold")


def kept(shell: str) -> str:
    """The completion script of a shell; nothing for others."""
    return _read("completions", shell) if shell in SHELLS else ""


def _read(folder: str, name: str) -> str:
    package = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(package, folder, f"{name}.txt"), encoding="utf-8") as file:
        return file.read()


def show(command: str, stream: TextIO) -> None:
    """Print a page, with its headings in bold where colours are wanted."""
    from scaffold.terminal import coloured, styled

    text = page(command)
    if coloured(stream):
        lines = text.split("\n")
        text = "\n".join(
            styled(line, "bold", stream) if line.endswith(":") and line[0] != " " else line
            for line in lines
        )
    stream.write(text)
