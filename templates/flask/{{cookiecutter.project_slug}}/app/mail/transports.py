"""Where messages go: the terminal, a directory, or an SMTP server."""

import os
import smtplib
import ssl
import sys
import time
import uuid
from contextlib import suppress
from email.contentmanager import raw_data_manager
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

SECONDS = 10


class Transport(Protocol):
    def send(self, message: EmailMessage) -> None:
        """Hand the message on, or raise."""


class Terminal:
    def send(self, message: EmailMessage) -> None:
        part = message.get_body(("plain",))
        text = part.get_content(content_manager=raw_data_manager) if part else ""
        head = f"--- mail to {message['To']}\nSubject: {message['Subject']}\n\n"
        sys.stderr.write(f"{head}{text}---\n")
        sys.stderr.flush()


class Directory:
    """One file a message; who watches the directory never sees half of one."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def send(self, message: EmailMessage) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self.path / f"{time.time_ns() // 1_000_000}-{uuid.uuid4()}.eml"
        unfinished = target.with_suffix(".tmp")
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(message))
        unfinished.rename(target)


class Server:
    """An SMTP server; encrypted from the first byte or as soon as it offers to be."""

    def __init__(self, url: SplitResult) -> None:
        self.host = url.hostname or ""
        self.is_encrypted = url.scheme == "smtps"
        self.port = url.port or (465 if self.is_encrypted else 587)
        self.user, self.password = unquote(url.username or ""), unquote(url.password or "")

    def send(self, message: EmailMessage) -> None:
        server = self._connect(message["From"].rpartition("@")[2])
        try:
            self._log_in(server)
            server.sendmail(message["From"], [message["To"]], bytes(message))
            # What the server says now no longer matters: it has the message.
            with suppress(smtplib.SMTPException):
                server.quit()
        finally:
            server.close()

    def _connect(self, name: str) -> smtplib.SMTP:
        """Connect as `name`; without one the library would ask the resolver."""
        if not self.is_encrypted:
            return smtplib.SMTP(self.host, self.port, name, timeout=SECONDS)
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(self.host, self.port, name, timeout=SECONDS, context=context)

    def _log_in(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        if not self.is_encrypted and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        elif self.user and not self.is_encrypted:
            raise smtplib.SMTPNotSupportedError("no password over an open line")
        if self.user:
            server.login(self.user, self.password)


def open_transport(url: str) -> Transport:
    if url == "console:":
        return Terminal()
    if url.startswith("file:"):
        return Directory(url.removeprefix("file:"))
    return Server(urlsplit(url))
