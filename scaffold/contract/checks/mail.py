"""Chapter 4: mail: to the right address, with the right link, and beside the request."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser

from scaffold.contract.checks import check, equal, eventually, true
from scaffold.contract.checks.limits import address, low
from scaffold.contract.checks.pages import Assets
from scaffold.contract.mailbox import Mail
from scaffold.contract.target import API, Target, fresh_email, fresh_password

AUTH = f"{API}/auth"
FORGOT, RESEND = f"{AUTH}/password/forgot", f"{AUTH}/verify-email/resend"
EVIL = "evil.example"
POISON = {
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Proto": "ftp",
    "X-Forwarded-Port": "666",
    "X-Host": EVIL,
    "X-Original-Host": EVIL,
    "Forwarded": f"host={EVIL};proto=ftp",
    "Origin": f"https://{EVIL}",
    "Referer": f"https://{EVIL}/",
}


class Links(HTMLParser):
    """Where the links of a page lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attributes).get("href"))


def forgot(app: Target, email: str) -> None:
    app.anonymous.post(FORGOT, {"email": email}).expect(202)


def told(mail: Mail) -> str:
    """Everything a message says, decoded."""
    headers = "\n".join(f"{name}: {value}" for name, value in mail.message.items())
    return f"{headers}\n{mail.part('plain')}\n{mail.part('html')}"


@check(4, "A message comes as text and as HTML, to its address alone", "RFC 2046 5.1.4")
def mail_form(app: Target) -> None:
    email = app.account()["email"]
    message = app.mail(email, "verify-email").message
    equal(message.get_content_type(), "multipart/alternative", "content type")
    parts = [(part.get_content_type(), part.get_content_charset()) for part in message.iter_parts()]
    equal(parts, [("text/plain", "utf-8"), ("text/html", "utf-8")], "parts")
    equal(message.get_all("To"), [email], "To")
    names = [name.lower() for name in message if name.lower() in {"cc", "bcc", "reply-to"}]
    equal(names, [], "further receivers")


@check(4, "A message has the headers that programs look for", "RFC 5322 3.6, RFC 3834 5")
def mail_headers(app: Target) -> None:
    message = app.mail(app.account()["email"], "verify-email").message
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        equal(len(message.get_all(name, [])), 1, f"headers called {name}")
    equal(message["Auto-Submitted"], "auto-generated", "Auto-Submitted")
    host = str(message["From"]).rpartition("@")[2]
    true(re.fullmatch(rf"<[0-9a-f-]{{36}}@{re.escape(host)}>", message["Message-ID"]), "Message-ID")
    age = datetime.now(UTC) - parsedate_to_datetime(str(message["Date"]))
    true(abs(age) < timedelta(minutes=5), f"Date is {age} away")


@check(4, "The link in both parts leads to our own page, its token behind the #", "ASVS 14.2.1")
def mail_link(app: Target) -> None:
    email = app.account()["email"]
    forgot(app, email)
    for kind in ("verify-email", "reset-password"):
        mail = app.mail(email, kind)
        place = re.escape(f"{app.operator.public_url}/{kind}#token=")
        true(re.fullmatch(place + "[A-Za-z0-9_-]{43}", mail.link), mail.link)
        equal(Links(mail.part("html")).found, [mail.link], "links in the HTML")
        assets = Assets()
        assets.feed(mail.part("html"))
        equal(assets.loaded, [], "loaded from elsewhere")


@check(4, "No header of a request decides where a link leads", "OWASP WSTG-INPV-17")
def mail_link_poisoned(app: Target) -> None:
    email = app.account()["email"]
    app.client(**POISON).post(FORGOT, {"email": email}).expect(202)
    body = f'{{"email":"{email}"}}'
    lines = (
        f"POST {FORGOT} HTTP/1.1",
        f"Host: {EVIL}",
        "Content-Type: application/json",
        "Connection: close",
        f"Content-Length: {len(body)}",
        "",
        body,
    )
    answer = app.anonymous.raw("\r\n".join(lines).encode(), 5)
    true(answer.startswith(b"HTTP/1.1 202"), answer[:200])
    for number in (1, 2):
        mail = app.mail(email, "reset-password", number)
        true(mail.link.startswith(f"{app.operator.public_url}/"), mail.link)
        true(EVIL not in told(mail), told(mail))


@check(4, "Nor does what a trusted proxy passes on", "OWASP WSTG-INPV-17")
def mail_link_behind_proxy(app: Target) -> None:
    other = low(app)
    email = app.account()["email"]
    client = other.client(**POISON, **{"X-Forwarded-For": address()})
    client.post(FORGOT, {"email": email}).expect(202)
    mail = app.mail(email, "reset-password")
    true(mail.link.startswith(f"{other.operator.public_url}/"), mail.link)
    true(EVIL not in told(mail), told(mail))


@check(4, "Nothing a user typed is in a message, except the address", "ASVS 1.3.11")
def mail_nothing_typed(app: Target) -> None:
    typed = "Winner http://evil.example/ <b>bold</b>"
    known = app.account(typed)
    forgot(app, known["email"])
    app.anonymous.post(f"{AUTH}/register", known).expect(202)
    for kind in ("verify-email", "reset-password", "known-address"):
        text = told(app.mail(known["email"], kind))
        found = [word for word in ("Winner", "evil", "bold", known["password"]) if word in text]
        equal(found, [], f"typed words in {kind}")


@check(4, "The owner of a known address is told that somebody tried to register it")
def mail_known(app: Target) -> None:
    known = app.account()
    again = {**known, "password": fresh_password()}
    app.anonymous.post(f"{AUTH}/register", again).expect(202)
    mail = app.mail(known["email"], "known-address")
    true("#token=" not in told(mail), "it carries a link")
    app.mail(known["email"], "verify-email")
    equal(len(app.mailbox.all(known["email"], "verify-email")), 1, "mails to confirm the address")


@check(4, "Mail goes to the address as its owner gave it, not as somebody typed it")
def mail_as_given(app: Target) -> None:
    email = fresh_email().capitalize()
    body = {"email": email, "password": fresh_password(), "name": "Ada"}
    app.anonymous.post(f"{AUTH}/register", body).expect(202)
    forgot(app, email.upper())
    app.anonymous.post(f"{AUTH}/register", {**body, "email": email.swapcase()}).expect(202)
    for kind in ("verify-email", "reset-password", "known-address"):
        equal(app.mail(email, kind).to, email, kind)


@check(4, "Line ends cannot be slipped into an address", "ASVS 1.3.11")
def mail_crlf(app: Target) -> None:
    email = app.account()["email"]
    for more in (
        "\r\nBcc: e@evil.example",
        "\nCc: e@evil.example",
        "\r\n\r\nText",
        "%0aBcc:x",
        "\r",
    ):
        for path in (FORGOT, RESEND):
            answer = app.anonymous.post(path, {"email": email + more})
            equal(answer.pointers(), ["#/email"], f"{more!r} at {path}")
    for odd in (f"{email},e@evil.example", f"{email} e@evil.example", f"<{email}>", f"A {email}"):
        equal(app.anonymous.post(FORGOT, {"email": odd}).pointers(), ["#/email"], odd)


@check(4, "An address that looks like encoded text goes to nobody else", "RFC 2047 5, ASVS 1.3.11")
def mail_encoded_word(app: Target) -> None:
    mark = fresh_email()
    for local in (
        "=?utf-8?q?eve?=",
        "=?utf-8?q?e=0d=0aBcc=3a_eve=40evil.example?=",
        "a" * 150 + ".",
    ):
        email = local + mark
        body = {"email": email, "password": fresh_password(), "name": "Ada"}
        app.anonymous.post(f"{AUTH}/register", body).expect(202)
        raw = app.mail(email, "verify-email").raw
        head = raw.replace(b"\r", b"").partition(b"\n\n")[0].decode("ascii")
        true("Bcc" not in head.replace(email, ""), head)


@check(4, "At most five messages of a kind go to one address in an hour", "ASVS 2.4.1")
def mail_limited(app: Target) -> None:
    known = app.account()
    for number in range(8):
        forgot(app, known["email"].upper() if number % 2 else known["email"])
    app.mail(known["email"], "reset-password", 5)
    # Other kinds are not held up; and what was queued before has gone.
    app.anonymous.post(f"{AUTH}/register", known).expect(202)
    app.mail(known["email"], "known-address")
    settled(app)
    equal(len(app.mailbox.all(known["email"], "reset-password")), 5, "messages")


def settled(app: Target) -> None:
    """Wait until the app has sent what was asked for before now; it takes its time on purpose."""
    app.mail(app.account()["email"], "verify-email")
    time.sleep(0.4)


@check(4, "Files with mails are for the app's user alone", "ASVS 14.2.4")
def mail_private(app: Target) -> None:
    app.mail(app.account()["email"], "verify-email")
    directory = app.operator.mails
    equal(oct(directory.stat().st_mode & 0o777), "0o700", "mode of the directory")
    modes = {oct(path.stat().st_mode & 0o777) for path in directory.glob("*.eml")}
    equal(modes, {"0o600"}, "modes of the files")


@check(9, "Sending is logged by the message's name, without address, token or link", "ASVS 16.2.5")
def mail_logged(app: Target) -> None:
    email = app.account()["email"]
    forgot(app, email)
    tokens = [app.mail(email, kind).token for kind in ("verify-email", "reset-password")]

    def told_kinds() -> bool:
        return all(f'"{kind}"' in sent(app) for kind in ("verify-email", "reset-password"))

    eventually(told_kinds, True, "lines with event mail.sent")  # noqa: FBT003 (the value awaited)
    log = app.operator.log()
    secret = [word for word in (*tokens, "#token=", email) if word in log]
    equal(secret, [], "in the log")


def sent(app: Target) -> str:
    return "\n".join(line for line in app.operator.log().splitlines() if "mail.sent" in line)
