"""What can go wrong for a user: each error is a whole sentence with a way out."""

from __future__ import annotations

from pathlib import Path

import click


class ScaffoldError(click.ClickException):
    """Something the caller can put right; its text is all that is shown."""

    exit_code = 2


class InvalidAnswer(ScaffoldError):
    """An answer that an option does not allow."""

    def __init__(self, label: str, value: str, reason: str, suggestion: str = "") -> None:
        way_out = f"; try {suggestion!r}" if suggestion else ""
        super().__init__(f"The {label} {value!r} cannot be used: {reason}{way_out}.")


class StackMissing(ScaffoldError):
    """No stack was named."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"Say which stack to use: --stack {' or --stack '.join(names)}.")


class TargetTaken(ScaffoldError):
    """The place for the project holds something already."""

    def __init__(self, target: Path) -> None:
        super().__init__(
            f"{target} exists and is not an empty directory: "
            "choose another name, or another directory with -o."
        )


class CannotWrite(ScaffoldError):
    """The system refused to store the project."""

    def __init__(self, target: Path, error: OSError) -> None:
        reason = error.strerror or type(error).__name__
        super().__init__(
            f"Cannot write {target} ({reason}): nothing was left behind; "
            "make room or choose another directory with -o."
        )


class UrlUnusable(ScaffoldError):
    """What was given as --url is no place to ask."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"The URL {url!r} cannot be used: give http(s)://HOST:PORT without a path."
        )


class AppAway(ScaffoldError):
    """Nobody answers where the app should be."""

    def __init__(self, url: str, error: Exception) -> None:
        reason = " ".join(str(getattr(error, "strerror", "") or error or type(error)).split())
        super().__init__(f"No app answers at {url} ({reason}): start it, or give another --url.")


class TokenRefused(ScaffoldError):
    """The token does not make us an admin."""

    def __init__(self, status: int) -> None:
        super().__init__(
            f"The --admin-token is no admin's (the app answered {status}): "
            "log in as one and give the token of that session."
        )


class ReportLost(ScaffoldError):
    """The system refused to store the report."""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or type(error).__name__
        super().__init__(f"Cannot write {path} ({reason}): choose another file with --junit.")


class Interrupted(BaseException):
    """A signal asked to stop; `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
