"""What messages say, as text and as HTML."""

import re
import uuid
from email.contentmanager import raw_data_manager
from email.message import EmailMessage
from email.policy import compat32
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Any

from app import ids
from app.openapi import ABOUT

_DATA = Path(__file__).parent.parent / "data"
# Writes addresses as they are: a newer policy would decode `=?utf-8?q?eve?=@example.com`.
_POLICY = compat32.clone(linesep="\r\n", max_line_length=76)
_FORM: dict[str, Any] = {"cte": "quoted-printable", "content_manager": raw_data_manager}


def make(sender: str, to: str, name: str, link: str) -> EmailMessage:
    """Write the message `name`; of all it says, users typed only the address in To."""
    source = (_DATA / "mails" / f"{name}.txt").read_text("utf-8").replace("$app", ABOUT["name"])
    subject, _, rest = source.partition("\n")
    message = EmailMessage(_POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(ids.now())
    message["Message-ID"] = f"<{uuid.uuid4()}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rest.strip().replace("$link", link) + "\n", **_FORM)
    message.add_alternative(_html(subject, rest, link), subtype="html", **_FORM)
    return message


def _html(subject: str, text: str, link: str) -> str:
    paragraphs = re.split(r"\n{2,}", text.strip())
    body = "\n".join(_paragraph(paragraph, link) for paragraph in paragraphs)
    page = (_DATA / "mail.html").read_text("utf-8")
    return page.replace("$title", escape(subject)).replace("$body", body)


def _paragraph(text: str, link: str) -> str:
    if text == "$link":
        return f'<p><a href="{escape(link)}">{escape(link)}</a></p>'
    return f"<p>{escape(text)}</p>"
