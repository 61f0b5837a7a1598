"""The command line: calls and prints; decides nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from scaffold.options import NAME, Option
from scaffold.stacks import stacks

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Imports below are late: each command waits for its own only.


def run(command: str, asked: dict[str, Any]) -> int:
    """Do what `command` says and return the exit status."""
    commands: dict[str, Callable[..., int | None]] = {
        "new": new,
        "doctor": doctor,
        "options": options,
        "variants": list_variants,
        "verify": verify_app,
        "completion": completion,
        "schema": schema,
    }
    return commands[command](**asked) or 0


def _print(document: Any) -> None:
    print(json.dumps(document, indent=2))


def new(**asked: Any) -> int:
    from scaffold.making import make

    return make(asked)


def doctor(stack: str | None, json: bool) -> int:
    from scaffold import doctor

    findings = doctor.look([stack] if stack else list(stacks()))
    if json:
        _print(doctor.document(findings))
    else:
        print("\n".join(doctor.told(findings)))
    return doctor.status(findings)


def options(stack: str | None, json: bool) -> None:
    chosen = [stacks()[stack]] if stack else list(stacks().values())
    if json:
        _print(
            [{"stack": each.name, "options": list(map(_option, each.options))} for each in chosen]
        )
        return
    for found in chosen:
        print(f"{found.name} ({found.language})")
        for option in found.options:
            _print_option(option)


def _option(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "flag": "NAME" if option.name == NAME else option.flag,
        "question": option.prompt,
        "default": option.default,
        "choices": dict(option.choices) or None,
        "rule": option.rule.get("hint"),
    }


def _print_option(option: Option) -> None:
    flag = "NAME" if option.name == NAME else option.flag
    print(f"  {flag:<16} {option.prompt}  [default: {option.default}]")
    for answer, meaning in option.choices.items():
        print(f"    {answer:<14} {meaning}")


def list_variants(set: str, json: bool) -> None:  # noqa: A002 (the flags' names)
    from scaffold.variants import variants

    found = variants(set)
    if json:
        _print([{"id": v.id, "stack": v.stack.name, "answers": dict(v.answers)} for v in found])
    else:
        print("\n".join(v.id for v in found))


def verify_app(json: bool, junit: str | None, **asked: Any) -> int:
    import signal
    import sys
    from functools import partial
    from pathlib import Path

    from scaffold.errors import UsageError

    if not asked["url"]:
        raise UsageError("Missing option '--url'", "scaffold verify", "--url")
    asked["mail_dir"] = Path(asked["mail_dir"]) if asked["mail_dir"] else None

    from scaffold.verify import Asked, on_terminal, verify, write

    # Ctrl-C raises, so that what was granted is taken back.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = verify(Asked(**asked), partial(print, file=sys.stderr), on_terminal())
    if json:
        _print(report.document())
    else:
        print(report.text())
    if junit:
        write(Path(junit), report.junit())
    return report.status


def completion(shell: str | None, json: bool) -> None:
    from scaffold.completion import likely, script

    shell = shell or likely()
    if json:
        _print({"shell": shell, "script": script(shell)})
    else:
        print(script(shell), end="")


def schema(command: str | None, json: bool) -> None:  # noqa: ARG001 (it is JSON anyway)
    from scaffold.errors import UsageError

    if command is None:
        raise UsageError(
            "Say of which command: 'scaffold schema new'", "scaffold schema", "COMMAND"
        )
    package = os.path.dirname(os.path.abspath(__file__))
    folder = "contract" if command == "verify" else "schemas"
    with open(os.path.join(package, folder, f"{command}.schema.json"), encoding="utf-8") as file:
        print(file.read(), end="")
