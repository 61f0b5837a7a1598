"""The questions of `scaffold new` at a terminal: one at a time, with a way back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from shlex import join

import questionary
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.output import create_output
from questionary import Choice, Style

from scaffold import terminal
from scaffold.answers import STACK
from scaffold.errors import ScaffoldError
from scaffold.making import Plan
from scaffold.options import NAME, Option
from scaffold.render import contents, refuse_taken
from scaffold.stacks import stacks

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BACK = object()
STACKS = {
    "flask": "Python, with SQLAlchemy",
    "express": "TypeScript on Node 24, with TypeORM",
}
# What follows from an answer, in one line.
CONSEQUENCES = {
    STACK: "Both keep the same contract, so a team can change later on the same database.",
    NAME: "It names the folder, the package and the image; lowercase letters and digits.",
    "description": "It opens the README, the package and the API's document.",
    "author_name": "It stands in LICENSE and in the package.",
    "contact_email": "It stands in SECURITY.md and in /.well-known/security.txt.",
    "database": "Only its driver and its service are put in; DATABASE_URL says where it is.",
    "ci": "It runs make check on each push, and renews what the project depends on.",
    "install": "Yes takes a minute, wants the network, and shows the app answering.",
    "git": "Yes makes a repository with one commit, in your name.",
    "make": "Nothing has been written yet.",
}
PLAIN = Style([])
COLOURS = Style(
    [
        *(("qmark", "fg:ansigreen"), ("question", "bold"), ("answer", "fg:ansigreen")),
        *(("pointer", "fg:ansigreen bold"), ("highlighted", "bold")),
        ("instruction", "fg:ansigray"),
    ]
)
KEYS = "↑↓ Enter, Esc goes back"


class Wizard:
    """Asks what is not given yet; each answer can be gone back to."""

    def __init__(
        self, given: dict[str, str], asked: dict[str, Any], plan: Callable[[dict[str, str]], Plan]
    ) -> None:
        self.found, self.asked, self._plan = dict(given), asked, plan
        self._style = COLOURS if terminal.coloured(sys.stderr) else PLAIN
        options = next(iter(stacks().values())).options
        self._questions: list[tuple[str, Callable[[], Any]]] = [(STACK, self._stack)]
        self._questions += [
            (option.name, self._question(option)) for option in options if option.name not in given
        ]
        if asked["git"] is None:
            self._questions.append(("git", self._switch("git", "Make the first commit?", "yes")))
        if asked["install"] is None and not asked["dry_run"]:
            title = "Install it, start it once and see it answer?"
            self._questions.append(("install", self._switch("install", title, "no")))
        self._questions.append(("make", self._confirm))

    def run(self) -> Plan:
        """Ask everything, and return what is to be made."""
        _tell("Enter takes what is shown, Esc goes back, Ctrl-C ends without writing anything.\n")
        at = 0
        while at < len(self._questions):
            name, question = self._questions[at]
            _tell(terminal.styled(f"  {CONSEQUENCES[name]}", "dim", sys.stderr))
            answer = question()
            if answer is BACK:
                at = max(at - 1, 0)
                continue
            self._store(name, answer)
            at += 1
        plan = self._plan(self.found)
        _tell("\nThe same again, without a question:")
        _tell(f"  {join(plan.command())}\n")
        return plan

    def _store(self, name: str, answer: Any) -> None:
        if name in {"git", "install"}:
            # What is so anyway need not be said again.
            self.asked[name] = {"yes": None if name == "git" else True, "no": False}[answer]
        elif name != "make":
            self.found[name] = answer

    def _stack(self) -> Any:
        choices = {name: STACKS.get(name, stack.language) for name, stack in stacks().items()}
        return self._select("What to build on", choices, self.found.get(STACK))

    def _question(self, option: Option) -> Callable[[], Any]:
        def ask() -> Any:
            known = self.found.get(option.name, option.default)
            if option.choices:
                return self._select(option.prompt, option.choices, known)
            return self._text(option, known)

        return ask

    def _switch(self, name: str, title: str, default: str) -> Callable[[], Any]:
        def ask() -> Any:
            known = self.asked[name]
            shown = default if known is None else ("yes" if known else "no")
            return self._select(title, {"yes": "", "no": ""}, shown)

        return ask

    def _select(self, title: str, choices: Any, known: str | None) -> Any:
        longest = max(map(len, choices))
        shown = [
            Choice(f"{answer:<{longest}}  {meaning}".rstrip(), value=answer)
            for answer, meaning in choices.items()
        ]
        return self._ask(
            questionary.select(
                title,
                shown,
                default=known if known in choices else None,
                instruction=f"({KEYS})",
                qmark="?",
                style=self._style,
                output=create_output(sys.stderr),
            )
        )

    def _text(self, option: Option, known: str) -> Any:
        def objection(value: str) -> bool | str:
            if reason := option.objection(value):
                return reason[0].upper() + reason[1:]
            return self._taken(value) if option.name == NAME else True

        return self._ask(
            questionary.text(
                option.prompt,
                default=known,
                validate=objection,
                qmark="?",
                style=self._style,
                validate_while_typing=True,
                output=create_output(sys.stderr),
            )
        )

    def _taken(self, name: str) -> bool | str:
        target = Path(self.asked["output"], name)
        try:
            refuse_taken(target)
        except ScaffoldError:
            return f"{target} is there already"
        return True

    def _confirm(self) -> Any:
        """Show what will be made, and ask whether it may be."""
        plan = self._plan(self.found)
        sizes = [len(data) for _name, _mode, data in contents(plan.variant)]
        rows = {"stack": plan.variant.stack.name, **plan.variant.answers}
        rows = {name.replace("_", " "): answer for name, answer in rows.items()}
        rows["first commit"] = "no" if self.asked["git"] is False else "yes"
        rows["install"] = "yes" if self.asked["install"] else "no"
        _tell("")
        for name, answer in rows.items():
            _tell(f"  {name:<14} {answer}")
        total = sum(sizes) / 1000
        _tell(f"  {'files':<14} {len(sizes)} in {plan.target}, {total:.0f} kB\n")
        answer = self._select("Make it?", {"yes": "", "no": "go back, or Ctrl-C to leave"}, "yes")
        return BACK if answer == "no" else answer

    def _ask(self, question: questionary.Question) -> Any:
        keys = KeyBindings()

        @keys.add("escape", eager=True)
        def back(event: KeyPressEvent) -> None:
            event.app.exit(result=BACK)

        app = question.application
        # An arrow begins with Esc as well: wait a moment for the rest of it, not half a second.
        app.ttimeoutlen = app.timeoutlen = 0.05
        app.key_bindings = merge_key_bindings(
            [app.key_bindings, keys] if app.key_bindings else [keys]
        )
        return question.unsafe_ask()


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def ask(
    given: dict[str, str], asked: dict[str, Any], plan: Callable[[dict[str, str]], Plan]
) -> Plan:
    """Ask a person at a terminal for what is missing, and return what is to be made."""
    try:
        return Wizard(given, asked, plan).run()
    except EOFError:
        # Ctrl-D at an empty line.
        raise KeyboardInterrupt from None
