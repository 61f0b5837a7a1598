"""The messages that an app has written into its directory."""

import time
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from flask import Flask

SECONDS = 10


def files(app: Flask) -> list[Path]:
    directory = Path(app.extensions["config"].mail_url.removeprefix("file:"))
    return sorted(directory.glob("*.eml"))


def sent(app: Flask, to: str) -> list[EmailMessage]:
    """Return what was sent to an address so far, oldest first."""
    parser: BytesParser[EmailMessage] = BytesParser(policy=policy.default)
    messages = [parser.parsebytes(path.read_bytes()) for path in files(app)]
    return [message for message in messages if message["To"] == to]


def receive(app: Flask, to: str, subject: str) -> EmailMessage:
    """Wait for the newest message with this beginning of a subject."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = [each for each in sent(app, to) if str(each["Subject"]).startswith(subject)]
        if found:
            return found[-1]
        time.sleep(0.02)
    raise AssertionError(f"no message {subject} to {to}")


def finish(app: Flask) -> None:
    """Send what is queued; after it there is no more mail from this app."""
    app.extensions["mail"].stop(SECONDS)


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found
    return str(found.get_content())


def link(message: EmailMessage) -> str:
    [line] = [line for line in part(message, "plain").splitlines() if "://" in line]
    return line


def token(message: EmailMessage) -> str:
    return link(message).partition("#token=")[2]
