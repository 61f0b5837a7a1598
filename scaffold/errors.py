"""What can go wrong for a user: each error is a whole sentence with a way out."""

from __future__ import annotations

from collections.abc import Iterable

import click

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


class ScaffoldError(click.ClickException):
    """Something the caller can put right; its text is all that is shown."""

    exit_code = 2
    # What to give, or give otherwise.
    option = ""

    @property
    def code(self) -> str:
        """The kind of error, for machines: `target-taken`."""
        name = type(self).__name__
        return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


def told(error: click.ClickException) -> tuple[str, str, str]:
    """The kind of an error, its sentence, and the option it is about (maybe none)."""
    if isinstance(error, ScaffoldError):
        return error.code, error.message, error.option
    # Of click's own: one line, which says where to look.
    text = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    if context and not text.endswith("?"):
        text = f"{text.rstrip('.')}; see '{context.command_path} -h'."
    return "usage-error", text, _option(error)


def _option(error: click.ClickException) -> str:
    parameter = getattr(error, "param", None)
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    if parameter:
        return str(parameter.human_readable_name)
    return str(getattr(error, "option_name", ""))


class InvalidAnswer(ScaffoldError):
    """An answer that an option does not allow."""

    def __init__(
        self, label: str, value: str, reason: str, suggestion: str = "", option: str = ""
    ) -> None:
        way_out = f"; try {suggestion!r}" if suggestion else ""
        super().__init__(f"The {label} {value!r} cannot be used: {reason}{way_out}.")
        self.option = option


class UnknownAnswer(ScaffoldError):
    """A key that no question has."""

    def __init__(self, key: str, where: str, known: Iterable[str], near: str = "") -> None:
        way_out = f"did you mean {near!r}" if near else f"there are {', '.join(known)}"
        super().__init__(f"Nothing is called {key!r} (in {where}): {way_out}.")
        self.option = where


class AnswersUnusable(ScaffoldError):
    """What was given as --answers holds no answers."""

    option = "--answers"

    def __init__(self, path: str, reason: str) -> None:
        reason = " ".join(reason.split()).rstrip(".")
        super().__init__(
            f"Cannot use the answers in {path} ({reason}): give a TOML or JSON file, "
            "like the .scaffold.json of a project."
        )


class StackMissing(ScaffoldError):
    """No stack was named."""

    option = "--stack"

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(f"Say which stack to use: --stack {' or --stack '.join(names)}.")


class TargetTaken(ScaffoldError):
    """The place for the project holds something already."""

    option = "--output"

    def __init__(self, target: Path) -> None:
        super().__init__(
            f"{target} exists and is not an empty directory: "
            "choose another name, or another directory with -o."
        )


class CannotWrite(ScaffoldError):
    """The system refused to store the project."""

    option = "--output"

    def __init__(self, target: Path, error: OSError) -> None:
        reason = error.strerror or type(error).__name__
        super().__init__(
            f"Cannot write {target} ({reason}): nothing was left behind; "
            "make room or choose another directory with -o."
        )


class UrlUnusable(ScaffoldError):
    """What was given as --url is no place to ask."""

    option = "--url"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"The URL {url!r} cannot be used: give http(s)://HOST:PORT without a path."
        )


class AppAway(ScaffoldError):
    """Nobody answers where the app should be."""

    option = "--url"

    def __init__(self, url: str, error: Exception) -> None:
        reason = " ".join(str(getattr(error, "strerror", "") or error or type(error)).split())
        super().__init__(f"No app answers at {url} ({reason}): start it, or give another --url.")


class TokenRefused(ScaffoldError):
    """The token does not make us an admin."""

    option = "--admin-token"

    def __init__(self, status: int) -> None:
        super().__init__(
            f"The --admin-token is no admin's (the app answered {status}): "
            "log in as one and give the token of that session."
        )


class ReportLost(ScaffoldError):
    """The system refused to store the report."""

    option = "--junit"

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or type(error).__name__
        super().__init__(f"Cannot write {path} ({reason}): choose another file with --junit.")


class Interrupted(BaseException):
    """A signal asked to stop; `number` is the signal, `told` what has become of the project."""

    def __init__(self, number: int, told: str = "") -> None:
        super().__init__(number)
        self.number, self.told = number, told
