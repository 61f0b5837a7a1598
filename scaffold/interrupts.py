"""Signals that ask to stop, noted when they come and obeyed where it is safe."""

from __future__ import annotations

import signal
from types import FrameType

from scaffold.errors import Interrupted

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupts:
    """From `listen` on, a signal only takes effect when `check` is called."""

    def __init__(self) -> None:
        self._noted = 0

    def listen(self) -> None:
        """Note signals until the process ends: after the last check it is too late to stop."""
        for name in NAMES:
            # Windows has no SIGHUP.
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._note)

    def check(self) -> None:
        """Raise Interrupted when a signal has come."""
        if self._noted:
            raise Interrupted(self._noted)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._noted = number
