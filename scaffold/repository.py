"""The first commit: made where git is and the project is on its own, else said why not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

MESSAGE = "Start from {id}"
IDENTITY = (
    "git does not know who you are: git config --global user.name 'Your Name', "
    "and the same for user.email"
)
SETTINGS = (
    # An identity made up from the host's name is nobody's.
    "user.useConfigOnly=true",
    "gc.auto=0",
    "maintenance.auto=false",
    # A third of the work, for files that git packs, and then compresses, anyway.
    "core.looseCompression=0",
)
# What belongs to a repository that called us, as a hook does, and not to a new one.
FOREIGN = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX"),
}


# As long as git shows a commit's name in a repository of this size.
SHORT = 7
WRITERS = ("AUTHOR", "COMMITTER")


class Refused(Exception):
    """Why there is no commit."""


class Repository:
    """A repository to be made; `commit` and `reason` say what came of it."""

    def __init__(self, target: Path, check: Callable[[], None], *, wanted: bool) -> None:
        self._target, self._check, self._wanted = target, check, wanted
        self.commit = self.reason = ""

    def begin(self, draft: Path, variant: str) -> None:
        """Commit everything in `draft`; what cannot be done is undone and noted as `reason`."""
        try:
            self._refuse()
            self.commit = self._first_commit(draft, variant)
        except (Refused, OSError) as error:
            # Late: mishaps only.
            import shutil

            self.reason = str(error).rstrip(".")
            shutil.rmtree(draft / ".git", ignore_errors=True)

    def _refuse(self) -> None:
        if (self._target / ".git").exists():
            raise Refused("the repository here is yours: git add and git commit")
        outer = self._outer()
        if outer and not self._wanted:
            raise Refused(f"it is inside the repository {outer}: commit it there, or give --git")

    def _outer(self) -> str:
        """The repository the project would be a part of."""
        target = self._target.resolve()
        # Git says whether it is one; without a `.git` it needs not be asked.
        if not any((place / ".git").exists() for place in target.parents):
            return ""
        place = next(place for place in target.parents if place.is_dir())
        found = self._run(place, "rev-parse", "--show-toplevel")
        if found.returncode:
            return ""
        ignored = self._run(place, "check-ignore", "--quiet", str(target))
        return "" if ignored.returncode == 0 else found.stdout.strip()

    def _first_commit(self, draft: Path, variant: str) -> str:
        found = self._run(draft, "config", "--get", "init.defaultBranch")
        branch = found.stdout.strip() or "main"
        self._must(draft, "init", "--quiet", "--initial-branch", branch)
        self._must(draft, "add", "--all")
        self._must(draft, "commit", "--quiet", "--message", MESSAGE.format(id=variant))
        # Where git keeps it in a file, it needs not be asked.
        kept = draft / ".git" / "refs" / "heads" / branch
        head = kept.read_text() if kept.is_file() else self._must(draft, "rev-parse", "HEAD")
        return head[:SHORT]

    def _must(self, place: Path, *words: str) -> str:
        done = self._run(place, *words)
        if done.returncode:
            if any(self._run(place, "var", f"GIT_{who}_IDENT").returncode for who in WRITERS):
                raise Refused(IDENTITY)
            lines = (done.stderr or done.stdout).strip().splitlines()
            word = next(word for word in words if word.isalpha())
            raise Refused(f"git {word} failed: {lines[-1] if lines else done.returncode}")
        return done.stdout

    def _run(self, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run git with nobody to ask; Interrupted as soon as a signal has come."""
        self._check()
        env = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        options = [word for setting in SETTINGS for word in ("-c", setting)]
        try:
            process = subprocess.Popen(
                ["git", *options, *words],
                cwd=place,
                env=env | {"GIT_TERMINAL_PROMPT": "0"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except FileNotFoundError:
            raise Refused("git is not installed") from None
        with process:
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
