"""The command line: parses, calls and prints; decides nothing."""

from __future__ import annotations

import json as documents
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from scaffold.options import NAME, Option
from scaffold.pages import PAGES, SHELLS, page
from scaffold.stacks import stacks

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SETS = ("default", "singles", "pairs", "all")


class Command(click.Command):
    """A command whose help is a page that is kept."""

    def get_help(self, ctx: click.Context) -> str:
        return page(ctx.info_name or "").rstrip("\n")


class Group(click.Group):
    """The commands together; their help is a page as well."""

    command_class = Command

    def get_help(self, _ctx: click.Context) -> str:
        return page("").rstrip("\n")


def _answers(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one argument or option for each question of the templates."""
    # Every stack asks the same questions: a law sees to it.
    for option in reversed(next(iter(stacks().values())).options):
        command = _parameter(option)(command)
    return command


def _parameter(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    if option.name == NAME:
        return click.argument(NAME, metavar="NAME", required=False)
    kind = click.Choice(list(option.choices)) if option.choices else str
    return click.option(option.flag, option.name, type=kind)


# Imports in the commands are late: each waits for its own only.
as_json = click.option("--json", is_flag=True)
of_stack = click.option("--stack", type=click.Choice(list(stacks())))


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Make web services on Flask or Express that behave the same from outside."""


@cli.command(short_help="make a project")
@_answers
@of_stack
@click.option("--answers", metavar="FILE")
@click.option("--set", metavar="KEY=VALUE", multiple=True)
@click.option("-o", "--output", metavar="DIR", default=".")
@click.option("--dry-run", is_flag=True)
@click.option("--install/--no-install", default=None)
@click.option("--git/--no-git", default=None)
@click.option("--no-input", is_flag=True)
@as_json
def new(**asked: Any) -> int:
    from scaffold.making import make

    return make(asked)


@cli.command(short_help="what this machine has, and what it lacks")
@of_stack
@as_json
def doctor(stack: str | None, json: bool) -> int:
    from scaffold import doctor

    findings = doctor.look([stack] if stack else list(stacks()))
    if json:
        _print(doctor.document(findings))
    else:
        print("\n".join(doctor.told(findings)))
    return doctor.status(findings)


@cli.command(short_help="what can be chosen, and the defaults")
@of_stack
@as_json
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


@cli.command("variants", short_help="what can be made, one variant a line")
@click.option("--set", "chosen", type=click.Choice(SETS), default="all")
@as_json
def list_variants(chosen: str, json: bool) -> None:
    from scaffold.variants import variants

    found = variants(chosen)
    if json:
        _print([{"id": v.id, "stack": v.stack.name, "answers": dict(v.answers)} for v in found])
    else:
        print("\n".join(v.id for v in found))


@cli.command("verify", short_help="try the contract on a running app")
@click.option("--url", metavar="URL", required=True)
@click.option("--public-url", metavar="URL")
@click.option("--mail-dir", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--admin-token", metavar="TOKEN", default="", envvar="SCAFFOLD_ADMIN_TOKEN")
@click.option("--cors-origin", metavar="ORIGIN", default="")
@click.option("--metrics-token", metavar="TOKEN", default="", envvar="SCAFFOLD_METRICS_TOKEN")
@click.option("--chapter", "chapters", metavar="N", type=click.IntRange(1, 10), multiple=True)
@click.option("--wait", metavar="SECONDS", type=click.FloatRange(0, 600), default=0)
@as_json
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path))
def verify_app(json: bool, junit: Path | None, **asked: Any) -> int:
    from scaffold.verify import Asked, on_terminal, verify, write

    # Ctrl-C raises, so that what was granted is taken back.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = verify(Asked(**asked), partial(print, file=sys.stderr), on_terminal())
    if json:
        _print(report.document())
    else:
        print(report.text())
    if junit:
        write(junit, report.junit())
    return report.status


@cli.command(short_help="words for the Tab key")
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS), required=False)
@as_json
def completion(shell: str | None, json: bool) -> None:
    from scaffold.completion import likely, script

    shell = shell or likely()
    if json:
        _print({"shell": shell, "script": script(shell)})
    else:
        print(script(shell), end="")


@cli.command(short_help="the JSON Schema of what --json prints")
@click.argument("command", metavar="COMMAND", type=click.Choice([*PAGES, "error"]))
@as_json
def schema(command: str, json: bool) -> None:  # noqa: ARG001 (it is JSON anyway)
    package = os.path.dirname(os.path.abspath(__file__))
    folder = "contract" if command == "verify" else "schemas"
    with open(os.path.join(package, folder, f"{command}.schema.json"), encoding="utf-8") as file:
        print(file.read(), end="")


def _print(document: Any) -> None:
    print(documents.dumps(document, indent=2))
