"""Mail by a real SMTP server: encrypted where offered, and no password over an open line."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import trustme
from boots import booted
from postbox import Letter, Postbox, postbox
from services import Sqlite

from scaffold.contract.target import API, Target
from scaffold.server import free_port
from scaffold.stacks import stacks
from scaffold.variants import variant

# aiosmtpd says that log-ins over an open line are for tests, and forgets to close some lines.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Requiring AUTH"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
USER, PASSWORD = "app@mail.example", "p:w/%@? 1"
ENCODED = "app%40mail.example:p%3Aw%2F%25%40%3F%201"
NAME = "Größe & Söhne 🜁"
# One for each way to write MAIL_URL, so that few apps have to be started.
OPEN, CLOSED, TLS = free_port(), free_port(), free_port()
URLS = {
    OPEN: f"smtp://127.0.0.1:{OPEN}",
    CLOSED: f"smtp://{ENCODED}@127.0.0.1:{CLOSED}",
    TLS: f"smtps://{ENCODED}@127.0.0.1:{TLS}",
}


@dataclass(frozen=True)
class Authority:
    """Who signs the certificates of our mail servers, and whom the apps are told to trust."""

    ca: trustme.CA
    file: Path

    def context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("127.0.0.1").configure_cert(made)
        return made

    def trust(self) -> dict[str, str]:
        return {"SSL_CERT_FILE": str(self.file), "NODE_EXTRA_CA_CERTS": str(self.file)}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca, file = trustme.CA(), tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


@pytest.fixture(scope="module", params=stacks())
def app(request: pytest.FixtureRequest) -> Iterator[Target]:
    with booted(variant(stacks()[request.param]), Sqlite()) as target:
        about = target.operator.directory / "app" / "data" / "about.json"
        # What is started from now on has a name that is not ASCII.
        found = json.loads(about.read_text(encoding="utf-8"))
        about.write_text(json.dumps(found | {"name": NAME}), encoding="utf-8")
        yield target


def register(app: Target, port: int, authority: Authority) -> tuple[Target, str]:
    """An app that sends to a port, and the address of somebody who has just registered there."""
    settings = {"MAIL_URL": URLS[port], "MAIL_FROM": "shop@shop.example", **authority.trust()}
    sender = app.operator.boot(**settings)
    return sender, sender.account()["email"]


def holds(letter: Letter, app: Target, email: str) -> None:
    """A whole message, fit for any server on the way."""
    assert (letter.sender, letter.receivers) == ("shop@shop.example", [email])
    assert letter.raw.isascii()
    assert max(map(len, letter.raw.split(b"\r\n"))) <= 998
    assert b"\n" not in letter.raw.replace(b"\r\n", b"")
    message = letter.message
    assert NAME in message["Subject"]
    assert (message["From"], message["To"]) == ("shop@shop.example", email)
    assert abs(parsedate_to_datetime(message["Date"]).timestamp() - time.time()) < 60
    assert message["Message-ID"].endswith("@shop.example>")
    assert f"{app.operator.public_url}/verify-email#token=" in letter.text
    assert NAME in letter.text
    html = message.get_body(("html",))
    assert html is not None
    assert NAME.replace("&", "&amp;") in html.get_content()


def test_a_plain_server_gets_whole_messages(app: Target, authority: Authority) -> None:
    with postbox(OPEN) as box:
        sender, email = register(app, OPEN, authority)
        letter = box.to(email)
        holds(letter, sender, email)
        assert (letter.is_encrypted, box.logins) == (False, [])
        token = letter.text.split("#token=")[1].split()[0]
        sender.anonymous.post(f"{API}/auth/verify-email", {"token": token}).expect(204)


def test_what_is_put_off_is_sent_again(app: Target, authority: Authority) -> None:
    with postbox(OPEN, put_off=1) as box:
        _, email = register(app, OPEN, authority)
        box.to(email)
        assert [letter.receivers for letter in box.letters] == [[email]]


def test_starttls_is_used_where_offered(app: Target, authority: Authority) -> None:
    with postbox(OPEN, authority.context()) as box:
        sender, email = register(app, OPEN, authority)
        holds(box.to(email), sender, email)
        assert box.to(email).is_encrypted


def test_a_password_goes_over_starttls(app: Target, authority: Authority) -> None:
    with postbox(CLOSED, authority.context(), asks=True) as box:
        _, email = register(app, CLOSED, authority)
        assert (box.to(email).is_encrypted, box.to(email).user) == (True, USER)
        assert box.logins == [(USER, PASSWORD, True)]


def test_a_password_goes_over_smtps(app: Target, authority: Authority) -> None:
    with postbox(TLS, tls=authority.context(), asks=True) as box:
        _, email = register(app, TLS, authority)
        assert box.to(email).user == USER
        assert [login[:2] for login in box.logins] == [(USER, PASSWORD)]


# What is refused is tried again for a while: from here on nothing may arrive at all.


def test_no_password_over_an_open_line(app: Target, authority: Authority) -> None:
    with postbox(CLOSED) as box:
        refused(register(app, CLOSED, authority)[0], box)


@pytest.mark.parametrize("port", [OPEN, CLOSED, TLS], ids=["starttls", "password", "smtps"])
def test_an_unknown_authority_gets_nothing(app: Target, authority: Authority, port: int) -> None:
    stranger = Authority(trustme.CA(), authority.file).context()
    with postbox(port, tls=stranger) if port == TLS else postbox(port, stranger) as box:
        refused(register(app, port, authority)[0], box)


def refused(sender: Target, box: Postbox) -> None:
    """Nothing reaches the server, twice; the app lives on, and its log keeps the secret."""
    time.sleep(2)
    assert (box.letters, box.logins) == ([], [])
    sender.anonymous.get("/readyz").expect(200)
    said = sender.operator.log()
    assert PASSWORD not in said
    assert ENCODED not in said
