"""`scaffold new`: from what was asked for to a project, and what is said about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scaffold import answers, terminal
from scaffold.errors import StackMissing
from scaffold.interrupts import Interrupts
from scaffold.options import NAME
from scaffold.render import contents, leave, refuse_taken, render
from scaffold.stacks import stacks
from scaffold.variants import Variant, variant

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from scaffold.repository import Repository

HERE = "."


class Plan:
    """What is to be made, and where."""

    def __init__(self, made: Variant, output: str, here: bool, asked: dict[str, Any]) -> None:
        self.variant, self.output, self.here, self.asked = made, output, here, asked
        self.name = made.answers[NAME]
        self.target = Path(output) if here else Path(output, self.name)

    def command(self) -> list[str]:
        """The words that make the same again, without a question."""
        words = ["scaffold", "new", HERE if self.here else self.name]
        words += ["--stack", self.variant.stack.name]
        for option in self.variant.stack.options:
            answer = self.variant.answers[option.name]
            if option.name == NAME:
                if self.here and answer != _name_of(self.target):
                    words += ["--set", f"{NAME}={answer}"]
            elif answer != option.default or option.choices:
                words += [option.flag, answer]
        words += ["--output", self.output] if self.output != HERE else []
        words += {True: ["--git"], False: ["--no-git"]}.get(self.asked["git"], [])
        return words + (["--install"] if self.asked["install"] else [])


def make(asked: dict[str, Any]) -> int:
    """Make the project that was asked for, and say what came of it."""
    found, here = _given(asked)
    if answers.STACK in found:
        plan = _plan(found, here, asked)
    elif asked["no_input"] or asked["json"] or not terminal.asks():
        raise StackMissing(stacks())
    else:
        # Late: it is big, and only people need it.
        from scaffold.wizard import ask

        plan = ask(found, asked, lambda given: _plan(given, here, asked))
    if asked["dry_run"]:
        return _preview(plan)
    return _make(plan)


def _given(asked: dict[str, Any]) -> tuple[dict[str, str], bool]:
    here = asked[NAME] == HERE
    if here:
        asked[NAME] = None
    found = answers.gather(asked["answers"], asked["set"], asked)
    if here and NAME not in found:
        found[NAME] = _name_of(Path(asked["output"]))
    return found, here


def _name_of(directory: Path) -> str:
    """The name a project takes from its directory."""
    option = next(iter(stacks().values())).options[0]
    return option.suggestion(directory.resolve().name)


def _plan(found: dict[str, str], here: bool, asked: dict[str, Any]) -> Plan:
    given = {key: value for key, value in found.items() if key != answers.STACK}
    return Plan(variant(stacks()[found[answers.STACK]], **given), asked["output"], here, asked)


def _preview(plan: Plan) -> int:
    refuse_taken(plan.target)
    sizes = {name: len(data) for name, _mode, data in sorted(contents(plan.variant))}
    if plan.asked["json"]:
        files = [{"path": name, "bytes": count} for name, count in sizes.items()]
        _print(document(plan, files=files, dry_run=True))
        return 0
    # Late: only looked at.
    from scaffold.preview import size, tree

    root = f"{plan.target}/"
    print("\n".join(tree(root, sizes, terminal.width())))
    total = size(sum(sizes.values()))
    print(f"\nWould make {plan.target}: {plan.variant.id}, {len(sizes)} files, {total}.")
    print("Nothing was written.")
    return 0


def _make(plan: Plan) -> int:
    interrupts = Interrupts()
    interrupts.listen()
    finish, repository = leave, None
    if plan.asked["git"] is not False:
        # Late: it brings much.
        from scaffold.repository import Repository

        repository = Repository(plan.target, interrupts.check, wanted=bool(plan.asked["git"]))
        finish = partial(repository.begin, variant=plan.variant.id)
    written = render(plan.variant, plan.target, interrupts.check, finish)
    as_json = plan.asked["json"]
    if not as_json:
        print(f"Made {plan.target}: {plan.variant.id}, {len(written)} files.")
        if repository:
            print(_committed(repository))
        sys.stdout.flush()
    status, installed = 0, None
    if plan.asked["install"]:
        # Late: it starts servers.
        from scaffold.install import install

        installed = install(plan.target, plan.variant, interrupts)
        status = installed.status
    interrupts.ignore()
    if as_json:
        files = [{"path": name, "bytes": os.path.getsize(plan.target / name)} for name in written]
        _print(document(plan, files=files, repository=repository, installed=installed))
    else:
        print("\n".join(["", "Next:", *_next(plan, installed)]))
    return status


def _committed(repository: Repository) -> str:
    if repository.commit:
        return f"Committed as {repository.commit}."
    return terminal.wrapped(f"Not committed: {repository.reason}.")


def _next(plan: Plan, installed: Any) -> Iterator[str]:
    # Late, as everything is that refusals do without.
    from shlex import join

    return (f"  {join(words)}" for words in _steps(plan, installed))


def _steps(plan: Plan, installed: Any) -> Iterator[tuple[str, ...]]:
    commands = plan.variant.stack.commands
    if plan.target.resolve() != Path.cwd():
        yield ("cd", str(plan.target))
    if not installed or installed.status:
        yield commands["install"]
    yield commands["dev"]


def document(
    plan: Plan,
    files: list[dict[str, Any]],
    *,
    dry_run: bool = False,
    repository: Repository | None = None,
    installed: Any = None,
) -> dict[str, Any]:
    """As in new.schema.json."""
    return {
        "dry_run": dry_run,
        "directory": os.path.abspath(plan.target),
        "variant": plan.variant.id,
        "stack": plan.variant.stack.name,
        "answers": dict(plan.variant.answers),
        "files": files,
        "git": repository
        and {"commit": repository.commit or None, "reason": repository.reason or None},
        "install": installed and installed.document(),
        "next": [list(words) for words in _steps(plan, installed)],
        "repeat": plan.command(),
    }


def _print(document: dict[str, Any]) -> None:
    # Late: people read sentences.
    import json

    print(json.dumps(document, indent=2))
