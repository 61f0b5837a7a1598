"""How the output looks: colours where they are wanted, as wide as there is room."""

from __future__ import annotations

import os
import sys

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def coloured(stream: TextIO) -> bool:
    """NO_COLOR forbids colours and FORCE_COLOR demands them; else a terminal gets them."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    if forced:
        return forced != "0"
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def styled(text: str, style: str, stream: TextIO | None = None) -> str:
    """Put `text` in a style of STYLES, if colours are wanted on `stream` (standard output)."""
    if not coloured(stream or sys.stdout):
        return text
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def width() -> int:
    """Columns of the terminal (COLUMNS wins); 80 where there is none."""
    # Late, like everything that not every run needs.
    from shutil import get_terminal_size

    return max(get_terminal_size().columns, 20)


def wrapped(text: str, indent: str = "") -> str:
    """Break the sentences of `text` where the terminal ends."""
    from textwrap import fill

    return fill(
        text,
        width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def asks() -> bool:
    """Whether somebody is there who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Progress:
    """What goes on, on standard error: one line that is written over, or one line a step."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, text: str) -> None:
        """Say what goes on now, on a terminal."""
        if self._live:
            print(f"\r\x1b[K{text[: width() - 1]}", end="", file=sys.stderr, flush=True)

    def tell(self, text: str) -> None:
        """Say what is over."""
        start = "\r\x1b[K" if self._live else ""
        print(f"{start}{text}", file=sys.stderr, flush=True)
