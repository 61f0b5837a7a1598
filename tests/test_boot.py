"""A fresh machine gets each stack running by two commands; its own checks, see test_push.py."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from boots import baked, settings
from conftest import BOOTS, name_of
from environments import base_environment, equip
from services import Database  # noqa: TC002 (ours)
from trees import unrendered

from scaffold.contract.client import Client
from scaffold.contract.target import API
from scaffold.project import Project
from scaffold.render import render
from scaffold.server import Process, Server
from scaffold.stacks import Stack, stacks
from scaffold.variants import Variant, variant

STACKS = list(stacks().values())


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_fresh_install(stack: Stack, tmp_path: Path) -> None:
    """`make setup`, then `make start`: nothing shared, nothing installed before."""
    directory = tmp_path / "my-app"
    render(variant(stack), directory)
    project = Project(directory)
    env = {**base_environment(), "PORT": settings("")["PORT"]}
    for _ in "twice":
        done = project.make("setup", env=env, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        secrets = (directory / ".env").read_text(encoding="utf-8")
        assert stat.S_IMODE((directory / ".env").stat().st_mode) == 0o600
    assert (directory / ".env").read_text(encoding="utf-8") == secrets
    with Server(project, env, tmp_path / "log", ("make", "start")) as server:
        store_a_note(Client(server.ready().base))


def store_a_note(client: Client) -> None:
    account = {"email": "ada@example.com", "password": "a long enough one", "name": "Ada"}
    client.post(f"{API}/auth/register", account).expect(202)
    login = {"email": account["email"], "password": account["password"]}
    token = client.post(f"{API}/auth/login", login).expect(200).json()["token"]
    client = Client(client.base, token)
    client.post(f"{API}/notes", {"title": "stored"}).expect(201)
    assert [note["title"] for note in client.get(f"{API}/notes").json()["items"]] == ["stored"]


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_template_in_place(stack: Stack, tmp_path: Path) -> None:
    """The unrendered tree is an app: its own tests pass as it is."""
    tree = tmp_path / stack.tree.name
    for name, path in unrendered(stack).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tree / name)
    equip(Unrendered(tree, stack))
    done = Unrendered(tree, stack).make("test", env=base_environment(), timeout=600)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]


class Unrendered(Project):
    """A template where it stands; its answers file has only places for answers."""

    def __init__(self, directory: Path, stack: Stack) -> None:
        super().__init__(directory)
        object.__setattr__(self, "made_from", {"stack": stack.name, "answers": {}})


@pytest.mark.parametrize("found", BOOTS, ids=name_of)
def test_migrations_from_two_at_once(
    found: Variant, database: Callable[[str], Database], tmp_path: Path
) -> None:
    """Twice at the same moment and once more: every run ends well."""
    with baked(found) as project:
        env = settings(database(found.answers["database"]).fresh())
        runs = [
            Process(
                ("make", "migrate"), tmp_path / str(number), directory=project.directory, env=env
            )
            for number in range(2)
        ]
        assert [run.wait(60) for run in runs] == [0, 0], [run.output() for run in runs]
        done = project.make("migrate", env=env)
        assert done.returncode == 0, done.stdout + done.stderr
