"""A directory where the app leaves its mails, read as their receivers would."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path

from scaffold.contract.client import Broken

PATIENCE = 10.0
LINK = re.compile(r"\bhttps?://\S+#token=(\S+)")
# Which message it is: what its subject begins with, or where its link leads.
SUBJECTS = {
    "known-address": r"You already have an account at .",
    "password-changed": r"Your password for .+ was changed",
    "reset-password": r"Set a new password for .",
    "totp-off": r"Second factor switched off for .",
    "totp-on": r"Second factor switched on for .",
    "verify-email": r"Confirm your address for .",
}


@dataclass(frozen=True)
class Mail:
    """One message: as it was written, and what its receiver sees of it."""

    raw: bytes
    message: EmailMessage

    @property
    def to(self) -> str:
        """The address as it stands there: a mail program may read another one into it."""
        found = re.search(rb"(?im)^To:(.*(?:\n[ \t].*)*)", self.raw)
        return re.sub(r"\s+", "", found[1].decode("ascii", "replace")) if found else ""

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def kind(self) -> str:
        """The name of the message, or nothing when its subject is none of ours."""
        found = [kind for kind, start in SUBJECTS.items() if re.match(start, self.subject)]
        return found[0] if found else ""

    def part(self, subtype: str) -> str:
        """The text/plain or text/html part."""
        body = self.message.get_body((subtype,))
        if body is None:
            raise Broken(f"mail {self.subject!r}: no {subtype} part")
        return str(body.get_content())

    @property
    def link(self) -> str:
        """The one link with a token in the text."""
        found = [match[0] for match in LINK.finditer(self.part("plain"))]
        if len(found) != 1:
            raise Broken(f"mail {self.subject!r}: {len(found)} links with a token")
        return found[0]

    @property
    def token(self) -> str:
        return self.link.rpartition("#token=")[2]


class Mailbox:
    """All mails in a directory; each file is read once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._read: dict[str, Mail] = {}

    def all(self, email: str, kind: str = "") -> list[Mail]:
        """The mails to an address, perhaps only of a kind, oldest first."""
        self._look()
        return [
            mail
            for _, mail in sorted(self._read.items())
            if mail.to.lower() == email.lower() and kind in {"", mail.kind}
        ]

    def wait(self, email: str, kind: str, number: int = 1) -> Mail:
        """The `number`-th mail of a kind to an address, which may still be under way."""
        end = time.monotonic() + PATIENCE
        while len(found := self.all(email, kind)) < number:
            if time.monotonic() > end:
                others = [mail.kind for mail in self.all(email)]
                raise Broken(f"mail {number} {kind} did not come; there are {others}")
            time.sleep(0.02)
        return found[number - 1]

    def _look(self) -> None:
        if not self.directory.is_dir():
            return
        for path in self.directory.iterdir():
            if path.suffix == ".eml" and path.name not in self._read:
                raw = path.read_bytes()
                # The policy makes it an EmailMessage.
                message = message_from_bytes(raw, policy=policy.default)
                self._read[path.name] = Mail(raw, message)


@cache
def mailbox(directory: Path) -> Mailbox:
    return Mailbox(directory)
