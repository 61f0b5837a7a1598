"""The process: runs the command line and turns every end into an exit status."""

from __future__ import annotations

import os
import sys

# As in typing, which is not worth its import here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import click


def main() -> int:
    """Run the command line; 0 done, 1 a bug or a broken promise, 2 bad input, 128 + N signal N."""
    try:
        return _run()
    except KeyboardInterrupt:
        # Before our own handler was there.
        os._exit(130)
    except BrokenPipeError:
        # Whoever reads our output has left; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("SCAFFOLD_DEBUG") == "1":
            raise
        name = type(error).__name__
        return _say(
            f"This is a bug in scaffold ({name}): run it again with SCAFFOLD_DEBUG=1 "
            "and report what it prints.",
            1,
        )


def _run() -> int:
    import signal

    from scaffold import interrupts

    signal.signal(signal.SIGINT, interrupts.leave)
    # Late, so that Ctrl-C during these imports ends as quietly as it does after them.
    import click

    from scaffold.cli import cli
    from scaffold.errors import Interrupted

    try:
        status = cli.main(prog_name="scaffold", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.Abort:
        # Now: a check that waits for an app would hold us up.
        os._exit(130)
    except click.ClickException as error:
        return _say(f"Error: {_sentence(error)}", error.exit_code)
    except Interrupted as error:
        return _say(interrupts.MESSAGE, 128 + error.number)
    return status if isinstance(status, int) else 0


def _sentence(error: click.ClickException) -> str:
    """Whole errors as they are; of click's own, one line that says where to look."""
    import click

    text = " ".join(error.format_message().split())
    if text.endswith("?") or not isinstance(error, click.UsageError) or error.ctx is None:
        return text
    return f"{text.rstrip('.')}; see '{error.ctx.command_path} -h'."


def _say(sentence: str, status: int) -> int:
    print(sentence, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
