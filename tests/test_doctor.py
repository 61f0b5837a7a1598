"""The doctor: says what is there, what is missing, for what, and how to get it."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from test_cli import scaffold
from test_scripts import held

TOLD = {
    "git": "git version 2.39.5",
    "make": "GNU Make 4.3",
    "node": "v24.19.0",
    "npm": "11.4.0",
    "uv": "uv 0.9.0",
    "docker": "Docker version 28.2.2",
}


def machine(place: Path, told: dict[str, str]) -> dict[str, str]:
    """A PATH with exactly these commands, and a Python with nothing beside it."""
    place.mkdir()
    for name, version in told.items():
        (place / name).write_text(f"#!/bin/sh\necho '{version}'\n")
        (place / name).chmod(0o755)
    return {"PATH": str(place)}


def diagnosed(monkeypatch: pytest.MonkeyPatch, place: Path, told: dict[str, str]) -> dict[str, Any]:
    """The findings on a machine that has these commands alone."""
    from scaffold import doctor

    monkeypatch.setenv("PATH", machine(place, told)["PATH"])
    monkeypatch.setattr(sys, "executable", str(place / "python"))
    found = doctor.look(doctor.EVERY)
    return {finding.name: finding for finding in found}


def test_findings_are_told_by_their_schema(tmp_path: Path) -> None:
    done = scaffold("doctor", "--json", cwd=tmp_path)
    report = held("doctor", done.stdout)
    assert done.returncode == (0 if report["ok"] else 3)
    assert done.stderr == ""
    named = [finding["name"] for finding in report["findings"]]
    assert named == ["Python", "Node", "npm", "uv", "git", "make", "Docker", "ports", "disk"]
    for finding in report["findings"]:
        assert (finding["how_to_get"] is None) == (finding["status"] == "ok")


def test_a_stack_is_asked_what_it_needs(tmp_path: Path) -> None:
    names = {
        stack: [
            finding["name"]
            for finding in held(
                "doctor", scaffold("doctor", "--stack", stack, "--json", cwd=tmp_path).stdout
            )["findings"]
        ]
        for stack in ("flask", "express")
    }
    assert set(names["flask"]) ^ set(names["express"]) == {"Node", "npm", "uv"}


def test_people_read_the_same(tmp_path: Path) -> None:
    done = scaffold("doctor", "--stack", "express", cwd=tmp_path, PATH=str(tmp_path))
    assert "missing  make    not found\n" in done.stdout
    assert "for the commands of each project" in done.stdout
    assert "get it: " in done.stdout
    assert done.returncode == 3


def test_what_is_there_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = diagnosed(monkeypatch, tmp_path / "bin", TOLD)
    stands = {name: found[name].stands for name in ("Node", "npm", "uv", "git", "make", "Docker")}
    assert set(stands.values()) == {"ok"}, stands
    assert found["Node"].found.startswith("24.19.0 (")


@pytest.mark.parametrize(
    ("gone", "stands"),
    [
        *(("git", "absent"), ("uv", "absent"), ("docker", "absent")),
        *(("make", "missing"), ("node", "missing"), ("npm", "missing")),
    ],
)
def test_what_is_gone_is_missed(
    gone: str, stands: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = {name: version for name, version in TOLD.items() if name != gone}
    found = diagnosed(monkeypatch, tmp_path / "bin", told)
    (finding,) = [each for name, each in found.items() if name.lower() == gone]
    assert (finding.stands, finding.found) == (stands, "")
    assert finding.get
    assert finding.document()["how_to_get"] == finding.get


@pytest.mark.parametrize("version", ["v20.20.2", "v23.9.0", "v8.1.0"])
def test_an_old_node_will_not_do(
    version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = diagnosed(monkeypatch, tmp_path / "bin", TOLD | {"node": version})
    assert found["Node"].stands == "missing"
    assert "older than 24.0" in found["Node"].found


def test_a_node_beside_our_python_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from scaffold import doctor

    monkeypatch.setenv("PATH", machine(tmp_path / "old", {"node": "v18.0.0"})["PATH"])
    machine(tmp_path / "beside", {"node": "v24.1.0"})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "beside" / "python"))
    finding = doctor.find("node")
    assert (finding.stands, finding.found.endswith(", not on PATH")) == ("ok", True)


def test_a_command_that_does_not_run_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "git"
    broken.write_text("#!/nowhere\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    from scaffold import doctor

    assert doctor.find("git").stands == "absent"


def test_a_taken_port_and_a_full_disk_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from scaffold import doctor

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 8000))
            listener.listen()
        except OSError:
            # Somebody else has it: as good.
            pass
        assert doctor.find("ports").found == "8000 is taken"
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5_000_000))
    assert doctor.find("disk", tmp_path / "not" / "there").stands == "missing"
