"""Linters and scanners nobody here wrote, each turned into a list of findings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from environments import base_environment, run, shared

JUDGES = Path(__file__).parent / "judges"
# Hashes of packages, by design: nothing else is in them.
LOCKS = r"(^|/)(requirements(-dev)?\.txt|package-lock\.json)$"
SCHEMAS = {
    "compose.yaml": ["vendor.compose-spec"],
    ".github/workflows/*.yml": [
        "vendor.github-workflows",
        "custom.github-workflows-require-timeout",
    ],
    ".github/dependabot.yml": ["vendor.dependabot"],
    ".gitlab-ci.yml": ["vendor.gitlab-ci"],
    "renovate.json": ["vendor.renovate"],
}


@dataclass(frozen=True)
class Finding:
    """What a judge says about a line, or about a name, of a file."""

    judge: str
    rule: str
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.judge} {self.rule} in {self.file}: {self.text}"


@dataclass(frozen=True)
class Accepted:
    """Findings that may stay, and why."""

    judge: str
    rule: str
    why: str
    file: str = "*"
    text: str = ""

    def covers(self, found: Finding) -> bool:
        return (
            (self.judge, self.rule) == (found.judge, found.rule)
            and fnmatchcase(found.file, self.file)
            and re.search(self.text, found.text) is not None
        )


@cache
def accepted() -> list[Accepted]:
    source = tomllib.loads((JUDGES / "accepted.toml").read_text(encoding="utf-8"))
    return [Accepted(**each) for each in source["accepted"]]


@cache
def python_tools() -> Path:
    """Where the judges that are Python packages have their commands."""
    lock = JUDGES / "requirements.txt"

    def install(home: Path) -> None:
        run(["uv", "venv", "--quiet", "--python", sys.executable, "tools"], home)
        sync = ["uv", "pip", "sync", "--quiet", "--require-hashes", "--python"]
        run([*sync, str(home / "tools" / "bin" / "python"), str(lock)], home)

    return shared("judges-python", lock.read_bytes(), install) / "tools" / "bin"


@cache
def node_tools() -> Path:
    """Where the judges that are Node packages have their commands."""
    files = {name: (JUDGES / name).read_bytes() for name in ("package.json", "package-lock.json")}

    def install(home: Path) -> None:
        for name, data in files.items():
            (home / name).write_bytes(data)
        # ESLint finds its plugins beside its configuration.
        (home / "eslint.config.mjs").write_bytes((JUDGES / "eslint.config.mjs").read_bytes())
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], home)

    key = b"".join([*files.values(), (JUDGES / "eslint.config.mjs").read_bytes()])
    return shared("judges-node", key, install)


def ask(
    tool: str, *words: str | Path, at: Path, may: tuple[int, ...] = (0, 1), path: str = ""
) -> str:
    """Run a judge and return what it says; `may` are the statuses that are an answer."""
    directory = node_tools() / "node_modules" / ".bin"
    if not (directory / tool).exists():
        directory = python_tools()
    done = subprocess.run(
        [directory / tool, *words],
        cwd=at,
        env={**base_environment(), "NO_COLOR": "1", **({"PYTHONPATH": path} if path else {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in may, f"{tool}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def files(root: Path, *patterns: str) -> list[str]:
    """Files below `root` whose path, or the end of it, is one of the patterns."""
    names = (path.relative_to(root).as_posix() for path in sorted(root.rglob("*")))
    wanted = [f"*/{pattern}" for pattern in patterns]
    return [name for name in names if any(fnmatchcase(f"/{name}", each) for each in wanted)]


def line(root: Path, name: str, number: int) -> str:
    lines = (root / name).read_text(encoding="utf-8").splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def hadolint(root: Path) -> Iterator[Finding]:
    for each in json.loads(ask("hadolint", "-f", "json", *files(root, "Dockerfile"), at=root)):
        text = f"{each['message']} {line(root, each['file'], each['line'])}"
        yield Finding("hadolint", each["code"], each["file"], text)


def actionlint(root: Path) -> Iterator[Finding]:
    asked = ["-format", "{{json .}}", *files(root, ".github/workflows/*.yml")]
    for each in json.loads(ask("actionlint", *asked, at=root)):
        yield Finding("actionlint", each["kind"], each["filepath"], each["message"])


def zizmor(root: Path) -> Iterator[Finding]:
    """What it says at its strictest, informational findings included."""
    asked = files(root, ".github/workflows/*.yml", ".github/dependabot.yml")
    words = ["--offline", "--pedantic", "--format=json", "--strict-collection", *asked]
    for each in json.loads(ask("zizmor", *words, at=root, may=(0, *range(10, 15)))):
        (place, *_) = [e for e in each["locations"] if e["symbolic"]["kind"] == "Primary"]
        name = place["symbolic"]["key"]["Local"]["verbatim_path"]
        row = place["concrete"]["location"]["start_point"]["row"]
        yield Finding("zizmor", each["ident"], name, line(root, name, row + 1))


def schemas(root: Path) -> Iterator[Finding]:
    for pattern, names in SCHEMAS.items():
        given = files(root, pattern)
        for schema in names if given else ():
            transform = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
            words = ["--builtin-schema", schema, *transform, "-o", "json", *given]
            answer = json.loads(ask("check-jsonschema", *words, at=root))
            for each in answer.get("errors", []):
                yield Finding("schemas", schema, each["filename"], each["message"])
            for each in answer.get("parse_errors", []):
                yield Finding("schemas", schema, each["filename"], str(each))


def checkov(root: Path) -> Iterator[Finding]:
    kinds = ["dockerfile", "github_actions", "gitlab_ci", "kubernetes", "openapi", "secrets"]
    words = ["-d", ".", "--skip-download", "--quiet", "--compact", "-o", "json", "--framework"]
    answer = json.loads(ask("checkov", *words, *kinds, at=root))
    for kind in answer if isinstance(answer, list) else [answer]:
        for each in kind.get("results", {}).get("failed_checks", []):
            name = each["file_path"].lstrip("/")
            yield Finding("checkov", each["check_id"], name, f"{each['check_name']}")


def bandit(root: Path) -> Iterator[Finding]:
    for each in json.loads(ask("bandit", "-q", "-f", "json", "-r", ".", at=root))["results"]:
        name = each["filename"].removeprefix("./")
        text = line(root, name, each["line_number"])
        yield Finding("bandit", each["test_id"], name, text)


def eslint(root: Path) -> Iterator[Finding]:
    config = node_tools() / "eslint.config.mjs"
    words = ["--config", config, "--format=json", "--no-inline-config"]
    for each in json.loads(ask("eslint", *words, ".", at=root)):
        name = Path(each["filePath"]).relative_to(root.resolve()).as_posix()
        for found in each["messages"]:
            text = line(root, name, found.get("line", 0))
            yield Finding("eslint", found["ruleId"] or found["message"], name, text)


def secrets(root: Path) -> Iterator[Finding]:
    words = ["scan", "--all-files", "--no-verify", "--exclude-files", LOCKS]
    for name, listed in json.loads(ask("detect-secrets", *words, at=root))["results"].items():
        for each in listed:
            yield Finding("secrets", each["type"], name, line(root, name, each["line_number"]))


def vulture(root: Path) -> Iterator[Finding]:
    """Python that nothing calls, whole project at a time."""
    decorators = "@routes.add,@app.*"
    words = ["app", "migrations", "server.py", "tests", "--ignore-decorators", decorators]
    for each in ask("vulture", *words, at=root, may=(0, 3)).splitlines():
        found = re.fullmatch(r"(.+):\d+: (.+) \(\d+% confidence.*\)", each)
        assert found, each
        yield Finding("vulture", "unused", found[1], found[2])


def deptry(root: Path) -> Iterator[Finding]:
    """Python packages that are declared and not used, or used and not declared."""
    # It looks packages up where it runs: the project's own go first.
    (site,) = (root / ".venv").glob("lib/python*/site-packages")
    report = root / "deptry.json"
    words = [".", "--json-output", report.name, "--known-first-party", "app"]
    ask("deptry", *words, at=root, path=str(site))
    for each in json.loads(report.read_text(encoding="utf-8")):
        yield Finding("deptry", each["error"]["code"], each["location"]["file"], each["module"])
    report.unlink()


def knip(root: Path) -> Iterator[Finding]:
    """TypeScript that nothing imports, and packages that are not used or not declared."""
    words = ["--config", os.path.relpath(JUDGES / "knip.json", root), "--reporter", "json"]
    for each in json.loads(ask("knip", *words, at=root))["issues"]:
        for kind, listed in each.items():
            for found in listed if isinstance(listed, list) else ():
                yield Finding("knip", kind, each["file"], _names(found))


def _names(found: Any) -> str:
    return "|".join(map(_names, found)) if isinstance(found, list) else str(found["name"])
