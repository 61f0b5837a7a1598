"""A mail server of one's own: keeps what it receives, and what was said on the way."""

from __future__ import annotations

import gc
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PATIENCE = 15.0


@dataclass(frozen=True)
class Letter:
    """One message as it arrived."""

    sender: str
    receivers: list[str]
    raw: bytes
    is_encrypted: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())


@dataclass
class Postbox:
    """What a server has seen: letters, log-ins with whether they were encrypted, refusals."""

    letters: list[Letter] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    # How many letters to put off before one is taken.
    put_off: int = 0

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.put_off:
            self.put_off -= 1
            return "451 come again"
        content, user = envelope.content, session.auth_data
        assert isinstance(content, bytes)
        encrypted = self._is_encrypted(session)
        self.letters.append(
            Letter(
                str(envelope.mail_from),
                list(envelope.rcpt_tos),
                content,
                encrypted,
                user.login.decode() if isinstance(user, LoginPassword) else "",
            )
        )
        return "250 kept"

    def login(
        self, _server: SMTP, session: Session, _envelope: Envelope, _kind: str, given: Any
    ) -> AuthResult:
        """Take any password; the test looks at it."""
        encrypted = self._is_encrypted(session)
        self.logins.append((given.login.decode(), given.password.decode(), encrypted))
        return AuthResult(success=True, auth_data=given)

    @staticmethod
    def _is_encrypted(session: Session) -> bool:
        return session.ssl is not None

    def to(self, email: str, number: int = 1) -> Letter:
        """The `number`-th letter to an address; waits for it."""
        end = time.monotonic() + PATIENCE
        while len(found := [one for one in self.letters if one.receivers == [email]]) < number:
            assert time.monotonic() < end, f"no letter to {email}; there are {self.letters}"
            time.sleep(0.02)
        return found[number - 1]


@contextmanager
def postbox(
    port: int,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    *,
    asks: bool = False,
    put_off: int = 0,
) -> Iterator[Postbox]:
    """Serve on a port of 127.0.0.1; `asks` for a password, over any line at all."""
    box = Postbox(put_off=put_off)
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        ssl_context=tls,
        tls_context=starttls,
        authenticator=box.login,
        auth_require_tls=False,
        auth_required=asks,
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
        # What aiosmtpd leaves open is complained about here, and not in somebody else's test.
        gc.collect()
