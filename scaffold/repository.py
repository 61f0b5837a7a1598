"""The first commit: made where git is and the project is on its own, else said why not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

MESSAGE = "Start from {id}"
IDENTITY = (
    "git does not know who you are: git config --global user.name 'Your Name', "
    "and the same for user.email"
)
# What belongs to a repository that called us, as a hook does, and not to a new one.
FOREIGN = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX"),
}


class Refused(Exception):
    """Why there is no commit."""


class Repository:
    """A repository to be made; `commit` and `reason` say what came of it."""

    def __init__(self, target: Path, check: Callable[[], None], *, wanted: bool) -> None:
        self._target, self._check, self._wanted = target, check, wanted
        self._git = shutil.which("git")
        self.commit = self.reason = ""

    def begin(self, draft: Path, variant: str) -> None:
        """Commit everything in `draft`; what cannot be done is undone and noted as `reason`."""
        try:
            self._refuse()
            self.commit = self._first_commit(draft, variant)
        except (Refused, OSError) as error:
            self.reason = str(error).rstrip(".")
            shutil.rmtree(draft / ".git", ignore_errors=True)

    def _refuse(self) -> None:
        if not self._git:
            raise Refused("git is not installed")
        if (self._target / ".git").exists():
            raise Refused("the repository here is yours: git add and git commit")
        outer = self._outer()
        if outer and not self._wanted:
            raise Refused(f"it is inside the repository {outer}: commit it there, or give --git")

    def _outer(self) -> str:
        """The repository the project would be a part of."""
        place = self._target.absolute().parent
        while not place.is_dir():
            place = place.parent
        found = self._run(place, "rev-parse", "--show-toplevel")
        if found.returncode:
            return ""
        ignored = self._run(place, "check-ignore", "--quiet", str(self._target.absolute()))
        return "" if ignored.returncode == 0 else found.stdout.strip()

    def _first_commit(self, draft: Path, variant: str) -> str:
        if self._run(draft, "var", "GIT_AUTHOR_IDENT").returncode:
            raise Refused(IDENTITY)
        if self._run(draft, "var", "GIT_COMMITTER_IDENT").returncode:
            raise Refused(IDENTITY)
        named = self._run(draft, "config", "--get", "init.defaultBranch").returncode == 0
        branch = () if named else ("-c", "init.defaultBranch=main")
        self._must(draft, *branch, "init", "--quiet")
        self._must(draft, "add", "--all")
        message = MESSAGE.format(id=variant)
        self._must(draft, "commit", "--quiet", "--message", message)
        return self._must(draft, "rev-parse", "--short", "HEAD").strip()

    def _must(self, place: Path, *words: str) -> str:
        done = self._run(place, *words)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            word = next(word for word in words if word.isalpha())
            raise Refused(f"git {word} failed: {lines[-1] if lines else done.returncode}")
        return done.stdout

    def _run(self, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run git with nobody to ask; Interrupted as soon as a signal has come."""
        self._check()
        env = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        # An identity made up from the host's name is nobody's.
        settings = ("user.useConfigOnly=true", "gc.auto=0", "maintenance.auto=false")
        options = [word for setting in settings for word in ("-c", setting)]
        with subprocess.Popen(
            [self._git or "git", *options, *words],
            cwd=place,
            env=env | {"GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                while True:
                    try:
                        out, err = process.communicate(timeout=0.2)
                        break
                    except subprocess.TimeoutExpired:
                        self._check()
            except BaseException:
                process.terminate()
                raise
        self._check()
        return subprocess.CompletedProcess(words, process.returncode, out, err)
