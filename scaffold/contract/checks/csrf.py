"""Chapter 3: a cookie is no proof of intent: unsafe requests must come from our own pages."""

from __future__ import annotations

from scaffold.contract.checks import check, equal
from scaffold.contract.checks.sessions import browser_login, cookie
from scaffold.contract.target import API, Target

REFUSED: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "PUBLIC"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "PUBLIC"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "PUBLIC.evil.example"},
    {"Referer": "PUBLIC/docs"},
)
ACCEPTED: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "PUBLIC"},
)


def filled(app: Target, headers: dict[str, str]) -> dict[str, str]:
    public = app.operator.public_url
    return {key: value.replace("PUBLIC", public) for key, value in headers.items()}


def session(app: Target) -> str:
    return cookie(browser_login(app, app.account()))[1]


@check(3, "With a cookie, unsafe requests from elsewhere are refused", "ASVS 3.5.1")
def csrf_refused(app: Target) -> None:
    value = session(app)
    for headers in REFUSED:
        client = app.client(**app.cookie(value), **filled(app, headers))
        client.post(f"{API}/notes", {"title": "forged"}).problem("csrf")
    reader = app.client(**app.cookie(value))
    equal(reader.get(f"{API}/notes").expect(200).json()["items"], [], "forged notes")


@check(3, "With a cookie, requests from our own pages pass", "Fetch metadata")
def csrf_accepted(app: Target) -> None:
    value = session(app)
    for headers in ACCEPTED:
        client = app.client(**app.cookie(value), **filled(app, headers))
        client.post(f"{API}/notes", {"title": "ours"}).expect(201)


@check(3, "With a cookie, requests from an allowed origin pass", "Fetch standard")
def csrf_friend(app: Target) -> None:
    client = app.client(**app.cookie(session(app)), Origin=app.operator.cors_origin)
    client.post(f"{API}/notes", {"title": "a friend's"}).expect(201)


@check(3, "A bearer token is proof enough")
def csrf_bearer(app: Target) -> None:
    token = app.person().client.token
    client = app.client(token, Origin="https://evil.example", **{"Sec-Fetch-Site": "cross-site"})
    client.post(f"{API}/notes", {"title": "by an API client"}).expect(201)
    client = app.client("x" * 43, **app.cookie(session(app)))
    client.post(f"{API}/notes", {"title": "x"}).problem("unauthenticated")
