"""Headers, origins and request ids."""

import pytest

from tests.conftest import Start
from tests.person import AUTH, ME, Person, assert_problem, enroll

OURS = "https://app.example.com"
FRIEND = "https://friend.example.com"


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/docs", ME, "/nowhere"])
def test_every_answer_carries_the_security_headers(start: Start, path: str) -> None:
    headers = Person(start(PUBLIC_URL=OURS)).get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    is_page = path == "/docs"
    policy = "strict-origin-when-cross-origin" if is_page else "no-referrer"
    assert headers["Referrer-Policy"] == policy


def test_a_foreign_origin_gets_no_cors_headers(start: Start) -> None:
    anyone = Person(start(CORS_ORIGINS=FRIEND))
    for method in ("GET", "OPTIONS"):
        answer = anyone.ask(
            method,
            ME,
            origin="https://evil.example.com",
            access_control_request_method="PATCH",
        )
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


def test_an_allowed_origin_may_send_credentials(start: Start) -> None:
    anyone = Person(start(CORS_ORIGINS=FRIEND))
    answer = anyone.get(ME, origin=FRIEND).headers
    assert answer["Access-Control-Allow-Origin"] == FRIEND
    assert answer["Access-Control-Allow-Credentials"] == "true"
    assert "ETag" in answer["Access-Control-Expose-Headers"]
    preflight = anyone.ask("OPTIONS", ME, origin=FRIEND, access_control_request_method="PATCH")
    assert preflight.status == 204
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in preflight.headers["Access-Control-Allow-Headers"]


def test_a_cookie_request_from_another_site_is_refused(start: Start) -> None:
    app = start(PUBLIC_URL=OURS, CORS_ORIGINS=FRIEND)
    ada = enroll(app, "Ada")
    cookie = f"__Host-session={ada.token}"
    browser = Person(app)
    evil = "https://evil.example.com"
    for headers in ({"sec_fetch_site": "cross-site"}, {"origin": evil}, {}):
        answer = browser.patch(ME, {"name": "Eve"}, cookie=cookie, **headers)
        assert_problem(answer, 403, "csrf")
    for headers in ({"sec_fetch_site": "same-origin"}, {"origin": OURS}, {"origin": FRIEND}):
        answer = browser.patch(ME, {"name": "Ada L"}, cookie=cookie, **headers)
        assert answer.status == 200
    assert browser.post(f"{AUTH}/logout", cookie=cookie, origin=evil).status == 403
    assert ada.get(ME).body["name"] == "Ada L"


def test_a_request_id_is_kept_when_it_is_well_formed(anyone: Person) -> None:
    answer = anyone.get("/nowhere", x_request_id="my-request.0001")
    assert answer.headers["X-Request-Id"] == "my-request.0001"
    assert answer.body["request_id"] == "my-request.0001"
    for bad in ("short", "x" * 65, "with a space", "semi;colon"):
        assert anyone.get("/nowhere", x_request_id=bad).headers["X-Request-Id"] != bad
