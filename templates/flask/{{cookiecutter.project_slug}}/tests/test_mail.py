"""Messages, and how they leave."""

import re
from email.utils import parsedate_to_datetime

import pytest

from tests import mailbox
from tests.conftest import Start
from tests.person import AUTH, PASSWORD, Person

ADA = "ada@example.com"
# A library that reads addresses would write to eve@example.com.
ENCODED = "=?utf-8?q?eve?=@example.com"


def test_a_message_has_text_and_html(anyone: Person) -> None:
    anyone.register("Ada <b>Lovelace</b>", email=ADA)
    message = mailbox.receive(anyone.app, ADA, "Confirm your address")
    assert message.get_content_type() == "multipart/alternative"
    assert message["From"] == "app@localhost"
    assert message["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<[0-9a-f-]{36}@localhost>", message["Message-ID"])
    assert parsedate_to_datetime(message["Date"]).tzinfo
    link = mailbox.link(message)
    assert f'<p><a href="{link}">{link}</a></p>' in mailbox.part(message, "html")
    # Nothing of it was chosen by who registered.
    assert "Lovelace" not in message.as_string()


def test_a_link_leads_to_the_public_url(start: Start) -> None:
    app = start(PUBLIC_URL="https://app.example.com")
    poison = {"host": "evil.example", "x_forwarded_host": "evil.example"}
    body = {"email": ENCODED, "password": PASSWORD, "name": "Ada"}
    assert Person(app).post(f"{AUTH}/register", body, **poison).status == 202
    assert Person(app).post(f"{AUTH}/password/forgot", {"email": ENCODED}, **poison).status == 202
    mailbox.finish(app)
    text = "".join(path.read_text() for path in mailbox.files(app))
    assert text.count(f"\nTo: {ENCODED}\n") == 2
    assert "evil.example" not in text
    for page in ("verify-email", "reset-password"):
        assert re.search(rf"https://app\.example\.com/{page}#token=3D", text)
    assert Person(app).get("/verify-email").status == Person(app).get("/reset-password").status


def test_a_failing_server_does_not_change_the_answer(
    start: Start, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    anyone = Person(start(MAIL_URL=f"smtp://app:secret@127.0.0.1:{free_port}"))
    for _ in range(2):
        answer = anyone.register("Ada")
        assert (answer.status, answer.body) == (202, {"status": "accepted"})
    for path in ("password/forgot", "verify-email/resend"):
        assert anyone.post(f"{AUTH}/{path}", {"email": ADA}).status == 202
    assert anyone.login(ADA).status == 200
    mailbox.finish(anyone.app)
    assert [record.getMessage() for record in caplog.records] == ["mail was left unsent"]
    assert caplog.records[0].__dict__["fields"]["count"] == 4
    assert ADA not in caplog.text
    assert "secret" not in caplog.text


def test_messages_to_one_address_are_limited(ada: Person, bob: Person) -> None:
    for email in (ADA, ADA.upper()):
        for _ in range(4):
            assert ada.post(f"{AUTH}/password/forgot", {"email": email}).status == 202
    ada.post(f"{AUTH}/password/forgot", {"email": bob.email})
    mailbox.finish(ada.app)
    subjects = [message["Subject"] for message in mailbox.sent(ada.app, ADA)]
    assert sum(subject.startswith("Set a new password") for subject in subjects) == 5
    assert sum(subject.startswith("Confirm your address") for subject in subjects) == 1
    assert len(mailbox.sent(ada.app, bob.email)) == 2
