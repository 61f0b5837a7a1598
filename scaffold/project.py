"""A rendered project: its directory, its answers and its commands."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scaffold.stacks import Stack, stacks

ANSWERS = ".scaffold.json"

# What `make start` runs in the end; without make in between, its exit status is the app's.
SERVE = {"Python": (".venv/bin/python", "server.py"), "TypeScript": ("node", "server.ts")}


@dataclass(frozen=True)
class Project:
    """A directory that `render` wrote."""

    directory: Path

    @cached_property
    def made_from(self) -> dict[str, Any]:
        """What the project remembers: `stack`, `template_version` and `answers`."""
        text = (self.directory / ANSWERS).read_text(encoding="utf-8")
        return dict(json.loads(text))

    @property
    def answers(self) -> Mapping[str, str]:
        return dict(self.made_from["answers"])

    @property
    def stack(self) -> Stack:
        return stacks()[self.made_from["stack"]]

    @property
    def serve(self) -> tuple[str, ...]:
        """The command that becomes the server's own process."""
        return SERVE[self.stack.language]

    def run(
        self, *command: str, env: Mapping[str, str], timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` in the project with exactly `env`; the caller looks at the status."""
        return subprocess.run(
            command,
            cwd=self.directory,
            env=dict(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def make(
        self, *words: str, env: Mapping[str, str], timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run `make` with targets and variables like `EMAIL=a@b.example`."""
        return self.run("make", "--no-print-directory", *words, env=env, timeout=timeout)
