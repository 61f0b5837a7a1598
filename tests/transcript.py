"""Answer the questions of `scaffold new` in a real tmux session, and show it in README."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
START, END = "<!-- transcript -->\n", "<!-- end of transcript -->\n"
ENTER, DOWN = "Enter", "Down"
# What is on the screen before keys are sent, and which.
DIALOGUE = [
    ("What to build on", [ENTER]),
    ("Name of the project", ["C-u", "shop", ENTER]),
    ("One sentence", ["C-u", "A shop for tea", ENTER]),
    ("Who holds the copyright", [ENTER]),
    ("Where security reports go", [ENTER]),
    ("? Database", [ENTER]),
    ("Continuous integration", [ENTER]),
    ("Make the first commit", [ENTER]),
    ("Install it", [DOWN, ENTER]),
    ("Make it?", [ENTER]),
]
PROMPT = "$ "
IDENTITY = {"AUTHOR": "Ada", "COMMITTER": "Ada"}


class Session:
    """A tmux server of its own, with one shell in a new directory."""

    def __init__(self, place: Path) -> None:
        self._tmux = ["tmux", "-S", str(place / "socket"), "-f", os.devnull]
        (place / "work").mkdir()
        who = {f"GIT_{role}_NAME": name for role, name in IDENTITY.items()}
        who |= {f"GIT_{role}_EMAIL": "ada@example.com" for role in IDENTITY}
        env = os.environ | who | {"PS1": PROMPT, "TERM": "screen", "HOME": str(place)}
        path = [Path(sys.executable).parent, env["PATH"]]
        env["PATH"] = os.pathsep.join(map(str, path))
        command = [
            "new-session",
            "-d",
            "-x",
            "90",
            "-y",
            "90",
            f"env PS1='{PROMPT}' bash --norc --noprofile",
        ]
        subprocess.run([*self._tmux, *command], cwd=place / "work", env=env, check=True)

    def send(self, *keys: str) -> None:
        for key in keys:
            literal = [] if key in {ENTER, DOWN, "C-u"} else ["-l"]
            subprocess.run([*self._tmux, "send-keys", *literal, key], check=True)

    def screen(self) -> str:
        command = [*self._tmux, "capture-pane", "-p", "-J"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return "\n".join(line.rstrip() for line in shown.splitlines())

    def until(self, *shown: str, timeout: float = 60) -> str:
        """The screen once all of `shown` is on it."""
        end = time.monotonic() + timeout
        while not all(text in (screen := self.screen()) for text in shown):
            if time.monotonic() > end:
                raise SystemExit(f"{shown} did not come:\n{screen}")
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False)


def record() -> str:
    """What a person sees, from the command to the next prompt."""
    with tempfile.TemporaryDirectory(prefix="scaffold-", ignore_cleanup_errors=True) as place:
        session = Session(Path(place))
        try:
            session.until(PROMPT.strip())
            session.send("scaffold new", ENTER)
            for question, keys in DIALOGUE:
                session.until(question)
                session.send(*keys)
            session.until("Next:", "make dev\n$", timeout=600)
            return plain(session.screen())
        finally:
            session.close()


def plain(screen: str) -> str:
    """The screen without what differs from run to run."""
    lines = [line.rstrip() for line in screen.strip().splitlines()]
    lines = lines[lines.index("$ scaffold new") : -1]
    return "\n".join(lines) + "\n"


def told(transcript: str) -> str:
    """A transcript without numbers that differ from run to run."""
    text = re.sub(r"\b\d+\.\d s\b", "N s", transcript)
    text = re.sub(r"Committed as [0-9a-f]+", "Committed as ID", text)
    return re.sub(r"\b\d+ (?=files|in|kB)|(?<=shop, )\d+", "N ", text)


def shown(readme: str) -> str:
    """The transcript in a README."""
    inside = readme.partition(START)[2].partition(END)[0]
    return inside.removeprefix("```console\n").removesuffix("```\n")


def main() -> None:
    if not shutil.which("tmux"):
        raise SystemExit("tmux is missing: install it with your system's packages.")
    readme = README.read_text(encoding="utf-8")
    before, _, rest = readme.partition(START)
    after = rest.partition(END)[2]
    block = f"{START}```console\n{record()}```\n{END}"
    README.write_text(before + block + after, encoding="utf-8")


if __name__ == "__main__":
    main()
