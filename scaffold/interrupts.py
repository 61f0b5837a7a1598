"""Signals that ask to stop: obeyed at once while nothing is written, then where it is safe."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
MESSAGE = "Interrupted: nothing was written."


def leave(number: int, _frame: FrameType | None = None) -> None:
    """End the process now: an exception could get lost in somebody's clean-up."""
    os.write(2, f"{MESSAGE}\n".encode())
    os._exit(128 + number)


class Interrupts:
    """From `listen` on, a signal only takes effect when `check` is called."""

    def __init__(self) -> None:
        self._noted = 0
        # What is said when one takes effect.
        self.told = MESSAGE

    def listen(self) -> None:
        """Note signals from now on."""
        self._handle_with(self._note)

    def ignore(self) -> None:
        """Ignore signals from now on: what was asked for is done, and the process is ending."""
        # Not just noting them: the interpreter takes handlers away before it is gone.
        self._handle_with(signal.SIG_IGN)

    def check(self) -> None:
        """Raise Interrupted when a signal has come."""
        # Late: signals are handled before anything big is imported.
        from scaffold.errors import Interrupted

        if self._noted:
            raise Interrupted(self._noted, self.told)

    @staticmethod
    def _handle_with(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
        for name in NAMES:
            # Windows has no SIGHUP.
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._noted = number
