"""Names and places: wherever a project is put, all of it is there or nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import services
from test_cli import scaffold
from test_scripts import held
from trees import snapshot

NEW = ["new", "--stack", "flask", "--no-git"]
SHOP = ["new", "shop", "--stack", "flask", "--no-git"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, bytes | None]]:
    """What is made in an ordinary place."""
    place = tmp_path_factory.mktemp("plain")
    assert scaffold(*SHOP, cwd=place).returncode == 0
    return snapshot(place / "shop")


@pytest.mark.parametrize(
    "output",
    [
        "a b/c  d",
        "Größe/店/e\u0301",
        'it\'s "quoted"/$HOME/*',
        "-dash",
        "new\nline",
        "/".join(["d" * 100] * 20),
        "./x/../y",
        os.fsdecode(b"caf\xe9"),
    ],
    ids=lambda output: repr(output)[:24],
)
def test_a_project_can_be_put_anywhere(
    output: str, plain: dict[str, tuple[int, bytes | None]], tmp_path: Path
) -> None:
    done = scaffold(*SHOP, f"--output={output}", "--json", cwd=tmp_path, PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr
    assert snapshot(tmp_path / output / "shop") == plain
    assert held("new", done.stdout)["directory"].endswith("shop")
    # Paths are told in whatever the terminal takes.
    again = [*SHOP, f"--output={output}/again"]
    for encoding in ("utf-8", "ascii"):
        told = scaffold(*again, "--dry-run", cwd=tmp_path, PYTHONIOENCODING=encoding)
        assert (told.returncode, told.stderr) == (0, "")


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    done = scaffold(*SHOP, "-o", "/".join(["d" * 200] * 30), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Cannot write" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("directory", "name"), [("shop", "shop"), ("My Café", "my-cafe"), ("店", "my-app")]
)
def test_a_dot_is_this_directory(directory: str, name: str, tmp_path: Path) -> None:
    here = tmp_path / directory
    here.mkdir(mode=0o750)
    before = here.stat()
    done = scaffold("new", ".", *NEW[1:], "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    told = held("new", done.stdout)
    assert told["answers"]["project_slug"] == name
    assert told["next"][0] == ["make", "setup"]
    # Whoever stands in it still does.
    assert (here.stat().st_ino, here.stat().st_mode) == (before.st_ino, before.st_mode)
    assert (here / ".scaffold.json").is_file()
    assert {file["path"].split("/")[0] for file in told["files"]} == {
        path.name for path in here.iterdir()
    }
    assert list(tmp_path.iterdir()) == [here]


def test_a_dot_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = scaffold("new", ".", *NEW[1:], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_link_to_a_directory_is_followed(
    plain: dict[str, tuple[int, bytes | None]], tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert scaffold(*SHOP, "-o", "link", cwd=tmp_path).returncode == 0
    assert snapshot(tmp_path / "real" / "shop") == plain
    assert (tmp_path / "link").is_symlink()


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    done = scaffold(*SHOP, "-o", "link", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def mounted(options: str, script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script with `disk` mounted for it alone."""
    (cwd / "disk").mkdir()
    unshare = ["unshare", "--map-root-user", "--mount"]
    probe = subprocess.run([*unshare, "true"], capture_output=True, check=False)
    if not shutil.which("unshare") or probe.returncode:
        services.absent("unshare may not mount here")
    mount = f"mount -t tmpfs {options} none disk"
    command = f'{mount} && {script}; status=$?; echo "left: $(ls -A disk)"; exit $status'
    return subprocess.run(
        [*unshare, "sh", "-c", command],
        cwd=cwd,
        env=os.environ | {"RUN": f"{sys.executable} -m scaffold"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("size", ["4k", "64k", "300k"])
def test_a_full_disk_keeps_nothing(size: str, tmp_path: Path) -> None:
    done = mounted(f"-o size={size}", "$RUN new --stack flask --no-git -o disk/deep", tmp_path)
    assert (done.returncode, done.stdout) == (2, "left: \n")
    assert "No space left on device" in done.stderr


def test_a_disk_that_fills_up_with_the_commit_keeps_the_project(tmp_path: Path) -> None:
    """There is room for the files and not for what git keeps of them."""
    env = "GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b"
    done = mounted("-o size=1100k", f"{env} $RUN new --stack flask -o disk", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Not committed: git" in done.stdout
    assert "left: my-app\n" in done.stdout


def test_a_read_only_place_is_refused(tmp_path: Path) -> None:
    done = mounted("-o ro", "$RUN new --stack flask --no-git -o disk", tmp_path)
    assert (done.returncode, done.stdout) == (2, "left: \n")
    assert "Read-only file system" in done.stderr
