"""Raise every pin of this repository to the newest version, run the suite and say what changed.

Commits of actions and tags of images are not looked up here: Dependabot proposes those.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from environments import base_environment  # noqa: E402 (found by the line above)

from scaffold.render import render  # noqa: E402
from scaffold.stacks import Stack, stacks  # noqa: E402
from scaffold.variants import variant  # noqa: E402

DATABASES = ("sqlite", "postgresql", "mysql")
COMPILE = ["uv", "pip", "compile", "--quiet", "--upgrade", "--universal", "--no-header"]
COMPILE += ["--no-annotate", "--no-emit-index-url"]
HASHED = [*COMPILE, "--generate-hashes"]
LOCK = ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved"]
LOCK += ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
SPEC = re.compile(r'"([A-Za-z0-9._-]+)(\[[a-z,]+\])?>=([0-9.]+)(?:,<([0-9.]+))?"')
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, help="write what changed to this file as well")
    parser.add_argument("--no-test", action="store_true", help="leave the suite to somebody else")
    given = parser.parse_args()
    before = pins()
    this_package()
    judges()
    flask(stacks()["flask"])
    express(stacks()["express"])
    report = told(before, pins())
    print(report)
    if given.report:
        given.report.write_text(report, encoding="utf-8")
    if report == UNCHANGED or given.no_test:
        return 0
    return subprocess.run(["make", "test"], cwd=ROOT, check=False).returncode


def run(*command: str | Path, at: Path) -> str:
    done = subprocess.run(
        command, cwd=at, env=base_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def this_package() -> None:
    raise_ranges(ROOT / "pyproject.toml")
    # As old as the package allows, so that the pins hold on every Python it runs on.
    words = ["--all-extras", "--python-version", "3.11", "pyproject.toml", "-o", "constraints.txt"]
    run(*COMPILE, *words, at=ROOT)


def judges() -> None:
    home = ROOT / "tests" / "judges"
    words = ["--python-version", "3.11", "requirements.in", "-o", "requirements.txt"]
    run(*HASHED, *words, at=home)
    manifest = json.loads((home / "package.json").read_text(encoding="utf-8"))
    # ESLint's parser wants an older compiler, and Knip's own parser lacks builds of some systems.
    raise_package(manifest, kept={"knip", "typescript"})
    write_json(home / "package.json", manifest)
    lock(home)
    try_lock(home)


def flask(stack: Stack) -> None:
    """One list for every database: what only one of them needs stands between its markers."""
    raise_ranges(stack.tree / "pyproject.toml")
    for name, extra in (("requirements.txt", []), ("requirements-dev.txt", ["--extra", "dev"])):
        found = {}
        for database in DATABASES:
            with tempfile.TemporaryDirectory() as directory:
                project = Path(directory) / "project"
                render(variant(stack, database=database), project)
                run(*HASHED, *extra, "pyproject.toml", "-o", "new.txt", at=project)
                found[database] = blocks((project / "new.txt").read_text(encoding="utf-8"))
        text = "".join(merged(found))
        (stack.tree / name).write_text(text, encoding="utf-8")


def blocks(text: str) -> dict[str, str]:
    """Each package of a lock with its hashes, by name."""
    parts = re.findall(r"^[A-Za-z0-9].*(?:\n .*)*\n", text, re.MULTILINE)
    return {part.partition("==")[0]: part for part in parts}


def merged(found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name in sorted(set().union(*found.values())):
        holders = [database for database in DATABASES if name in found[database]]
        texts = {found[database][name] for database in holders}
        if len(texts) > 1:
            raise SystemExit(f"{name} is another one for each of {', '.join(holders)}")
        (text,) = texts
        if len(holders) == len(DATABASES):
            yield text
            continue
        for database in holders:
            yield f"# scaffold: if cookiecutter.database == '{database}'\n{text}# scaffold: endif\n"


def express(stack: Stack) -> None:
    """The manifest of all databases, and of each one, with a lock for each."""
    whole = json.loads((stack.tree / "package.json").read_text(encoding="utf-8"))
    # The parts of one release line, the last whose tracer reads every OTEL_ variable itself.
    raise_package(whole, kept={name for name in whole["dependencies"] if "opentelemetry" in name})
    for suffix in ("", *(f".{database}" for database in DATABASES)):
        path = stack.tree / f"package{suffix}.json"
        manifest = json.loads(path.read_text(encoding="utf-8"))
        for group in ("dependencies", "devDependencies"):
            for name in manifest[group]:
                manifest[group][name] = whole[group][name]
        write_json(path, manifest)
        with tempfile.TemporaryDirectory() as directory:
            home = Path(directory)
            name = manifest["name"]
            write_json(home / "package.json", manifest | {"name": "placeholder"})
            lock(home)
            trim(home / "package-lock.json")
            try_lock(home)
            text = (home / "package-lock.json").read_text(encoding="utf-8")
            text = text.replace('"name": "placeholder"', f'"name": "{name}"')
            (stack.tree / f"package-lock{suffix}.json").write_text(text, encoding="utf-8")


def raise_package(manifest: dict[str, dict[str, str]], kept: Collection[str] = ()) -> None:
    for group in ("dependencies", "devDependencies"):
        for name in manifest.get(group, {}):
            if name not in kept:
                manifest[group][name] = newest(name, manifest[group][name])


def newest(name: str, known: str) -> str:
    """The newest release whose builds are out for every system; `known` is what we have."""
    # Types of Node follow the Node they are the types of.
    line = f"{numbers(known)[0]}." if name == "@types/node" else ""
    if not line:
        latest = ask(name, "version")
        if latest == known or is_whole(name, latest):
            return latest
    released = [each for each in ask(name, "versions") if re.fullmatch(r"[\d.]+", each)]
    newer = [each for each in released if each.startswith(line) and numbers(each) > numbers(known)]
    for version in sorted(newer, key=numbers, reverse=True)[:10]:
        if is_whole(name, version):
            return version
    return known


def is_whole(name: str, version: str) -> bool:
    """A release can be there before all of its builds, which npm tells only who installs it."""
    builds = ask(f"{name}@{version}", "optionalDependencies") or {}
    return all(ask(f"{build}@{wanted}", "version") for build, wanted in builds.items())


def ask(name: str, field: str) -> Any:
    command = ["npm", "view", name, field, "--json", "--loglevel=silent"]
    done = subprocess.run(
        command, cwd=ROOT, env=base_environment(), capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout or "null") if done.returncode == 0 else None


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def lock(home: Path) -> None:
    (home / "package-lock.json").unlink(missing_ok=True)
    run(*LOCK, at=home)
    text = (home / "package-lock.json").read_text(encoding="utf-8")
    if '"resolved"' in text:
        raise SystemExit("npm wrote addresses into package-lock.json")


def try_lock(home: Path) -> None:
    """What stands behind the direct ones can be too new as well: npm sees it when it installs."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("package.json", "package-lock.json"):
            Path(directory, name).write_bytes((home / name).read_bytes())
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", at=Path(directory))


def trim(path: Path) -> None:
    """Leave out what could be installed besides and is not: no word of the other databases."""
    content = json.loads(path.read_text(encoding="utf-8"))
    packages = content["packages"]
    for about in packages.values():
        peers, notes = about.get("peerDependencies", {}), about.get("peerDependenciesMeta", {})
        absent = [
            name
            for name, note in notes.items()
            if note.get("optional") and f"node_modules/{name}" not in packages
        ]
        for name in absent:
            peers.pop(name, None)
            notes.pop(name)
        for group in ("peerDependencies", "peerDependenciesMeta"):
            if group in about and not about[group]:
                del about[group]
    write_json(path, content)


def raise_ranges(path: Path) -> None:
    """Move the bounds of each direct dependency to the newest release."""
    text = path.read_text(encoding="utf-8")
    names = sorted({match[1] + (match[2] or "") for match in SPEC.finditer(text)})
    requires = tomllib.loads(text.replace("# scaffold:", "#"))["project"]["requires-python"]
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "in.txt").write_text("\n".join(names), encoding="utf-8")
        words = ["--python-version", numbers_text(requires), "in.txt", "-o", "out.txt"]
        run(*COMPILE, *words, at=Path(directory))
        found = dict(LOCKED.findall(Path(directory, "out.txt").read_text(encoding="utf-8")))

    def move(match: re.Match[str]) -> str:
        name, extra, low, high = match.groups()
        version = found[name.lower().replace("_", "-").replace(".", "-")]
        if high is None or numbers(version) < numbers(high):
            return match[0]
        # As many digits as the bounds had: `>=3.1,<4` becomes `>=4.0,<5`.
        digits = list(numbers(version))
        width = len(numbers(high))
        ceiling = [*digits[: width - 1], digits[width - 1] + 1]
        bounds = (digits[: len(numbers(low))], ceiling)
        lower, upper = (".".join(map(str, each)) for each in bounds)
        return f'"{name}{extra or ""}>={lower},<{upper}"'

    path.write_text(SPEC.sub(move, text), encoding="utf-8")


def numbers_text(requires: str) -> str:
    return ".".join(map(str, numbers(requires)))


def write_json(path: Path, content: object) -> None:
    path.write_text(f"{json.dumps(content, indent=2, ensure_ascii=False)}\n", encoding="utf-8")


def pins() -> dict[str, dict[str, str]]:
    """What is pinned where: file, package, version."""
    found = {}
    for path in [*ROOT.glob("*.txt"), *(ROOT / "templates").rglob("requirements*.txt")]:
        found[path] = dict(LOCKED.findall(path.read_text(encoding="utf-8")))
    lock_of_judges = ROOT / "tests" / "judges" / "requirements.txt"
    found[lock_of_judges] = dict(LOCKED.findall(lock_of_judges.read_text(encoding="utf-8")))
    homes = [*(ROOT / "templates" / "express").iterdir(), ROOT / "tests" / "judges"]
    for path in [path for home in homes for path in home.glob("package*.json")]:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "lock" in path.name:
            packages = content["packages"].items()
            each = {name: about.get("version", "") for name, about in packages if name}
            found[path] = {name.removeprefix("node_modules/"): each[name] for name in each}
    return {str(path.relative_to(ROOT)): each for path, each in sorted(found.items())}


UNCHANGED = "Everything is at its newest version.\n"


def told(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> str:
    """What changed, a table for each file."""
    parts = []
    for path, now in after.items():
        then = before.get(path, {})
        names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
        rows = [f"| {name} | {then.get(name, '')} | {now.get(name, '')} |" for name in names]
        if rows:
            parts.append(f"### {path}\n\n| package | was | is |\n|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n" if parts else UNCHANGED


if __name__ == "__main__":
    raise SystemExit(main())
