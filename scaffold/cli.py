"""The command line: parses, calls and prints; decides nothing."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable
from functools import partial
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


@cli.command("verify")
@click.option("--url", required=True, help="Where the app answers.")
@click.option("--public-url", metavar="URL", help="Its PUBLIC_URL.  [default: --url]")
@click.option(
    "--mail-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where its messages go: the directory of MAIL_URL=file:…",
)
@click.option(
    "--admin-token",
    default="",
    envvar="SCAFFOLD_ADMIN_TOKEN",
    metavar="TOKEN",
    help="An admin's session, for what only admins may do.",
)
@click.option("--cors-origin", default="", metavar="ORIGIN", help="One of its CORS_ORIGINS.")
@click.option(
    "--metrics-token",
    default="",
    envvar="SCAFFOLD_METRICS_TOKEN",
    metavar="TOKEN",
    help="Its METRICS_TOKEN.",
)
@click.option(
    "--chapter",
    "chapters",
    type=click.IntRange(1, 10),
    multiple=True,
    help="Only this chapter of the contract; may come again.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 600),
    default=0,
    metavar="SECONDS",
    help="How long it may take until it answers.  [default: 0]",
)
@click.option("--json", "as_json", is_flag=True, help="For machines: one document.")
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit's XML, too."
)
def verify_app(as_json: bool, junit: Path | None, **asked: Any) -> None:
    """Try the contract's promises on a running app, over HTTP alone.

    For test deployments: it registers hundreds of accounts with addresses at example.com, has
    some of them locked for a while, and leaves them and their notes behind.
    The app's own limits slow it down: raise RATE_LIMIT and RATE_LIMIT_AUTH there.

    What needs more than HTTP is reported as not tried, with what it would need.
    Tokens are also read from SCAFFOLD_ADMIN_TOKEN and SCAFFOLD_METRICS_TOKEN.

    Ends with 0 when all that was tried is kept, 1 when a promise is broken, 2 when nothing answers.
    """
    # Late: help and refusals do not wait for it.
    from scaffold.verify import Asked, on_terminal, verify, write

    # Ctrl-C raises, so that what was granted is taken back.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = verify(Asked(**asked), partial(click.echo, err=True), on_terminal())
    click.echo(json.dumps(report.document(), indent=2) if as_json else report.text())
    if junit:
        write(junit, report.junit())
    click.get_current_context().exit(report.status)
