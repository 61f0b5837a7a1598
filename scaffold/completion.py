"""Words for the Tab key: a script a shell, which asks nobody when it completes."""

from __future__ import annotations

import os
from pathlib import Path

import click

from scaffold.cli import cli
from scaffold.pages import SHELLS

# The scripts as they ship, so that printing one reads no template.
KEPT = Path(__file__).with_name("completions")
HINT = "# Completes the command scaffold; made by: scaffold completion {shell}\n"


def likely() -> str:
    """The shell of whoever asks, by what he logs in with."""
    name = os.path.basename(os.environ.get("SHELL", ""))
    return name if name in SHELLS else SHELLS[0]


def script(shell: str) -> str:
    """What `shell` reads to complete."""
    make = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    return HINT.format(shell=shell) + make()


class Word:
    """What completion knows of a parameter of the command line."""

    def __init__(self, parameter: click.Parameter) -> None:
        is_flag = isinstance(parameter, click.Option) and parameter.is_flag
        self.flags = parameter.opts if isinstance(parameter, click.Option) else []
        self.negative = "".join(parameter.secondary_opts)
        self.choices = list(getattr(parameter.type, "choices", ()))
        self.metavar = parameter.metavar or ""
        self.name = parameter.name or ""
        self.takes_value = not is_flag
        self.many = parameter.multiple if isinstance(parameter, click.Option) else False
        # What completes it, as compgen calls it.
        self.kind = {"FILE": "file", "DIR": "directory"}.get(self.metavar, "")


def _commands() -> dict[str, tuple[str, list[Word]]]:
    """Each command, what it is for, and its parameters."""
    return {
        name: (str(command.short_help), [Word(each) for each in command.params])
        for name, command in cli.commands.items()
    }


def _flags(parameters: list[Word]) -> list[str]:
    found = [flag for each in parameters for flag in each.flags]
    return [*found, *(each.negative for each in parameters if each.negative), "--help"]


def _bash() -> str:
    values, flags = [], []
    for command, (_, parameters) in _commands().items():
        flags.append(f"    {command}) words='{' '.join(_flags(parameters))}' ;;")
        for each in parameters:
            names = [f"{command}:{flag}" for flag in each.flags] or [f"{command}:"]
            does = ""
            if each.choices:
                does = f"words='{' '.join(each.choices)}'"
            elif each.kind:
                does = f'compopt -o filenames; COMPREPLY=($(compgen -{each.kind[0]} -- "$word"))'
                does += "; return"
            elif each.takes_value and each.flags:
                does = "return"
            if does:
                values.append(f"    {'|'.join(names)}) {does} ;;")
    return BASH.format(
        commands=" ".join([*cli.commands, "--help", "--version"]),
        values="\n".join(values),
        flags="\n".join(flags),
    )


BASH = """\
_scaffold() {{
  local word=$2 before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}} words=
  COMPREPLY=()
  # Bash takes --flag=value for three words.
  [ "$word" = = ] && word=
  [ "$before" = = ] && before=${{COMP_WORDS[COMP_CWORD - 2]}}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{commands}' -- "$word"))
    return
  fi
  case $word in -*) before= ;; esac
  case $before in -*) ;; *) before= ;; esac
  case $word in
  -*) ;;
  *)
    case $command:$before in
{values}
    esac
    ;;
  esac
  [ -z "$words" ] && case $command in
{flags}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -F _scaffold scaffold
"""


def _zsh() -> str:
    cases = []
    for command, (_, parameters) in _commands().items():
        specs = []
        for each in parameters:
            action = {"file": "_files", "directory": "_files -/"}.get(each.kind, " ")
            if each.choices:
                action = f"({' '.join(each.choices)})"
            value = f":{each.metavar or each.name}:{action}" if each.takes_value else ""
            many = "*" if each.many else ""
            specs += [
                f"'{many}{flag}[{each.name.replace('_', ' ')}]{value}'" for flag in each.flags
            ]
            if not each.flags:
                # With a hint for its free text zsh would list flags and put none in.
                specs.append(f"'1{value}'" if each.choices else "'1: :()'")
            if each.negative:
                specs.append(f"'{each.negative}[without {each.name}]'")
        specs.append("'--help[show help]'")
        cases.append(f"    {command}) _arguments {' '.join(specs)} ;;")
    told = " ".join(f"'{name}:{told}'" for name, (told, _) in _commands().items())
    return "#compdef scaffold\n" + ZSH.format(commands=told, cases="\n".join(cases))


ZSH = """\
_scaffold() {{
  local -a commands=({commands})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=${{words[2]}}
  shift words
  (( CURRENT-- ))
  case $command in
{cases}
  esac
}}
if [ "$funcstack[1]" = _scaffold ]; then
  _scaffold "$@"
else
  compdef _scaffold scaffold
fi
"""


def _fish() -> str:
    lines = ["complete -c scaffold -f"]
    first = "complete -c scaffold -n __fish_use_subcommand"
    for command, (told, parameters) in _commands().items():
        lines.append(f"{first} -a {command} -d '{told}'")
        start = f"complete -c scaffold -n '__fish_seen_subcommand_from {command}'"
        for each in parameters:
            value = ""
            if each.choices:
                value = f" -xa '{' '.join(each.choices)}'"
            elif each.kind:
                value = " -rF" if each.kind == "file" else " -xa '(__fish_complete_directories)'"
            elif each.takes_value:
                value = " -x"
            if each.flags:
                names = [
                    f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                    for flag in each.flags
                ]
                lines.append(f"{start} {' '.join(names)}{value}")
            elif each.choices:
                lines.append(f"{start}{value.replace('-xa', '-a')}")
            if each.negative:
                lines.append(f"{start} -l {each.negative[2:]}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for shell in SHELLS:
        (KEPT / f"{shell}.txt").write_text(script(shell), encoding="utf-8")
