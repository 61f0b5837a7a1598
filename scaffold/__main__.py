"""The process: runs the command line and turns every end into an exit status."""

# This module is all that an old Python reads of us: it must parse on 3.6.
import os
import sys

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO  # noqa: F401 (in a comment below)

OLDEST = (3, 11)


def main():  # type: () -> int
    """Run the command line.

    0 done; 1 a bug, or a broken promise; 2 a request that cannot be done as it stands;
    3 this machine lacks something, or a step failed on it; 128 + N ended by signal N.
    """
    if sys.version_info < OLDEST:
        return _say(
            "Python {}.{} is too old: scaffold needs Python {}.{} or newer "
            "(this one is {}).".format(*sys.version_info[:2], *OLDEST, sys.executable),
            3,
        )
    try:
        return _run(sys.argv[1:])
    except KeyboardInterrupt:
        # Before our own handler was there, and when a question is answered with Ctrl-C.
        sys.stderr.write("Interrupted.\n")
        sys.stderr.flush()
        os._exit(130)
    except BrokenPipeError:
        # Whoever reads our output has left; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("SCAFFOLD_DEBUG") == "1":
            raise
        return _fail(
            "bug",
            "This is a bug in scaffold ({}): run it again with SCAFFOLD_DEBUG=1 "
            "and report what it prints.".format(type(error).__name__),
            1,
        )


def _run(words):  # type: (list[str]) -> int
    # Late, each where it is needed: help and completion shall come at once.
    if not words:
        return _help("", sys.stderr, 2)
    if len(words) <= 2 and words[-1] in {"-h", "--help"}:
        from scaffold.pages import PAGES

        if words[0] in PAGES or len(words) == 1:
            return _help(words[0] if len(words) == 2 else "", sys.stdout, 0)
    if words[0] == "completion" and len(words) == 2:
        from scaffold.pages import kept

        if kept(words[1]):
            print(kept(words[1]), end="")
            return 0
    if words[0] == "--version":
        from scaffold import __version__

        print("scaffold " + __version__)
        return 0
    return _command(words)


def _command(words):  # type: (list[str]) -> int
    import gc
    import signal

    # What is imported stays: looking through it for garbage is a tenth of making a project.
    gc.disable()
    from scaffold import interrupts

    signal.signal(signal.SIGINT, interrupts.leave)
    # Late, so that Ctrl-C during these imports ends as quietly as it does after them.
    import click

    from scaffold.cli import cli
    from scaffold.errors import Interrupted, told

    gc.freeze()
    gc.enable()
    # A path may hold what the terminal's encoding does not.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = cli.main(words, prog_name="scaffold", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        code, sentence, option = told(error)
        return _fail(code, sentence, error.exit_code, option)
    except click.Abort:
        raise KeyboardInterrupt from None
    except Interrupted as error:
        return _fail("interrupted", error.told or interrupts.MESSAGE, 128 + error.number)
    return status or 0


def _help(command, stream, status):  # type: (str, TextIO, int) -> int
    from scaffold.pages import show

    show(command, stream)
    sys.stdout.flush()
    return status


def _fail(code, sentence, status, option=""):  # type: (str, str, int, str) -> int
    if "--json" not in sys.argv:
        start = "" if code in {"bug", "interrupted"} else "Error: "
        return _say(start + sentence, status)
    import json

    error = {"code": code, "message": sentence, "exit": status, "option": option or None}
    return _say(json.dumps({"error": error}, indent=2), status)


def _say(sentence, status):  # type: (str, int) -> int
    sys.stderr.write(sentence + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
