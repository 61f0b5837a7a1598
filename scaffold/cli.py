"""The command line: parses, calls and prints; decides nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scaffold import __version__
from scaffold.errors import StackMissing
from scaffold.options import NAME, Option
from scaffold.stacks import stacks
from scaffold.variants import SETS, variant, variants

CONTEXT = {"help_option_names": ["-h", "--help"]}


def _answers(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one argument or option for each question of the templates."""
    # Every stack asks the same questions: a law sees to it.
    for option in reversed(next(iter(stacks().values())).options):
        command = _parameter(option)(command)
    return command


def _parameter(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def check(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
        return option.check(value)

    if option.name == NAME:
        return click.argument(NAME, metavar="[NAME]", default=option.default, callback=check)
    return click.option(
        option.flag,
        option.name,
        type=click.Choice(list(option.choices)) if option.choices else str,
        default=option.default,
        show_default=True,
        callback=check,
        help=f"{option.prompt}.",
    )


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="scaffold", message="%(prog)s %(version)s")
def cli() -> None:
    """Make web services on Flask or Express that behave the same from outside."""


@cli.command()
@_answers
@click.option("--stack", type=click.Choice(list(stacks())), help="What to build on.  [required]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Directory to put the project in.  [default: here]",
)
def new(stack: str | None, output: Path, **answers: str) -> None:
    """Make a project called NAME (my-app when left out)."""
    # Late: help and refusals do not wait for it.
    from scaffold.interrupts import Interrupts
    from scaffold.render import render

    if stack is None:
        raise StackMissing(list(stacks()))
    made = variant(stacks()[stack], **answers)
    target = output / made.answers[NAME]
    interrupts = Interrupts()
    interrupts.listen()
    written = render(made, target, interrupts.check)
    interrupts.ignore()
    click.echo(f"Made {target}: {made.id}, {len(written)} files.")
    click.echo("\nNext:")
    commands = made.stack.commands
    for command in (("cd", str(target)), commands["install"], commands["dev"]):
        click.echo(f"  {shlex.join(command)}")


@cli.command()
@click.option("--stack", type=click.Choice(list(stacks())), help="Of this stack only.")
def options(stack: str | None) -> None:
    """List what can be chosen, and the defaults."""
    for found in [stacks()[stack]] if stack else stacks().values():
        click.echo(f"{found.name} ({found.language})")
        for option in found.options:
            _print_option(option)


def _print_option(option: Option) -> None:
    flag = "NAME" if option.name == NAME else option.flag
    click.echo(f"  {flag:<16} {option.prompt}  [default: {option.default}]")
    for answer, meaning in option.choices.items():
        click.echo(f"    {answer:<14} {meaning}")


@cli.command("variants")
@click.option("--json", "as_json", is_flag=True, help="For machines, with every answer.")
@click.option(
    "--set",
    "chosen",
    type=click.Choice(SETS),
    default="all",
    show_default=True,
    help="How many: the defaults, each answer once, each pair of answers, or all.",
)
def list_variants(as_json: bool, chosen: str) -> None:
    """List what can be made, one variant a line."""
    found = variants(chosen)
    if as_json:
        rows = [{"id": v.id, "stack": v.stack.name, "answers": dict(v.answers)} for v in found]
        click.echo(json.dumps(rows, indent=2))
    else:
        click.echo("\n".join(v.id for v in found))
