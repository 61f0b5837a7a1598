"""The wheel: what is installed from it makes the same projects as a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from trees import STACKS, snapshot

ROOT = Path(__file__).resolve().parent.parent
ADDED = {
    "docs/added.md": "added to {{ cookiecutter.project_slug }}\n",
    ".hidden/.added": "added\n",
    "build/added.txt": "added\n",
    "dist/run.sh": "#!/bin/sh\n",
}
LEFT_OVER = [".env", "node_modules/x/index.js", "data/app.db", "app/__pycache__/x.pyc"]


def run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def uv() -> str:
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert found, "uv is missing: install the extra `test` (make setup does)"
    return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository with files added to each template, and some left over."""
    copy = tmp_path_factory.mktemp("wheel") / "checkout"
    copy.mkdir()
    for name in ("scaffold", "templates"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE", "README.md", ".gitignore"):
        shutil.copy(ROOT / name, copy / name)
    for stack in STACKS:
        tree = copy / stack.tree.relative_to(stack.directory.parent.parent)
        for name, text in (ADDED | dict.fromkeys(LEFT_OVER, "mine")).items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        (tree / "dist/run.sh").chmod(0o755)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    run(uv(), "build", "--wheel", "--quiet", cwd=checkout)
    (built,) = (checkout / "dist").glob("*.whl")
    return built


def install(place: Path, *what: str | Path) -> Path:
    """Install into a new environment and return its `scaffold`."""
    run(uv(), "venv", "--quiet", "--python", sys.executable, place, cwd=place.parent)
    python = place / "bin" / "python"
    run(uv(), "pip", "install", "--quiet", "--python", python, *what, cwd=place.parent)
    return place / "bin" / "scaffold"


def project(root: Path) -> dict[str, tuple[bool, bytes | None]]:
    """Bytes and executable bits: who may read is up to the umask of a checkout."""
    return {
        name: (data is not None and bool(mode & 0o100), data)
        for name, (mode, data) in snapshot(root).items()
    }


def test_the_wheel_and_a_checkout_make_the_same(
    checkout: Path, wheel: Path, tmp_path: Path
) -> None:
    makers = {
        "wheel": install(tmp_path / "from-wheel", wheel),
        "editable": install(tmp_path / "from-checkout", "-e", checkout),
    }
    assert run(makers["wheel"], "--version", cwd=tmp_path).startswith("scaffold ")
    for stack in STACKS:
        for kind, maker in makers.items():
            where = f"{stack.name}/{kind}"
            run(maker, "new", "--no-git", "--stack", stack.name, "-o", where, cwd=tmp_path)
        made = {kind: project(tmp_path / stack.name / kind / "my-app") for kind in makers}
        assert made["wheel"] == made["editable"]
        assert set(made["wheel"]) >= set(ADDED)
        assert not set(made["wheel"]) & set(LEFT_OVER)
        assert made["wheel"]["docs/added.md"] == (False, b"added to my-app\n")
        assert made["wheel"]["dist/run.sh"][0]


def test_the_wheel_holds_the_package_and_the_templates_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    info = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert [name for name in set(names) - info if not name.startswith("scaffold/")] == []
    assert [name for name in names if any(name.endswith(left) for left in LEFT_OVER)] == []
    expected = {
        f"scaffold/templates/{stack.name}/{name}"
        for stack in STACKS
        for name in ("cookiecutter.json", "hooks/pre_gen_project.py", "hooks/post_gen_project.py")
    }
    assert expected <= set(names)
