"""Chapter 2: what people and tools read about the API."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from scaffold.contract.checks import alive, check, equal, true
from scaffold.contract.client import Answer
from scaffold.contract.problems import PROBLEMS
from scaffold.contract.target import API, Target

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Assets(HTMLParser):
    """What a page loads, and what it carries inline."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        source = given.get("src") or (given.get("href") if tag == "link" else None)
        if source:
            self.loaded.append(source)
        elif tag in {"script", "style"}:
            self.inline.append(tag)
        self.inline += [key for key in given if key.startswith("on") or key == "style"]


def is_page(answer: Answer) -> Answer:
    kind = answer.expect(200).header("Content-Type") or ""
    equal(kind.replace(" ", "").lower(), "text/html;charset=utf-8", answer)
    equal(answer.header("Content-Security-Policy"), POLICY, answer)
    equal(answer.header("Referrer-Policy"), "strict-origin-when-cross-origin", answer)
    equal(answer.header("Cache-Control"), "no-cache", answer)
    return answer


@check(2, "The OpenAPI document describes every route that answers", "OpenAPI 3.1")
def openapi(app: Target) -> None:
    answer = app.anonymous.get("/openapi.json").expect(200)
    equal(answer.header("Content-Type"), "application/json", answer)
    equal(answer.header("Cache-Control"), "no-cache", answer)
    document = answer.json()
    true(document["openapi"].startswith("3.1."), document["openapi"])
    for path, operations in document["paths"].items():
        real = path.replace("{id}", "00000000-0000-7000-8000-000000000000")
        for method in set(operations) - {"parameters"}:
            found = app.anonymous.request(method.upper(), real)
            true(found.status not in {404, 405}, f"{found} although it is documented")


@check(
    2,
    "The API reference loads nothing from elsewhere and runs nothing inline",
    "CSP 3, ASVS 3.4.3, 14.2.3",
)
def docs(app: Target) -> None:
    page = is_page(app.anonymous.get("/docs", headers={"Accept": "text/html"}))
    self_contained(app, page)


def self_contained(app: Target, page: Answer) -> None:
    """Nothing inline, and every asset our own."""
    assets = Assets()
    assets.feed(page.body.decode())
    equal(assets.inline, [], "inline scripts or styles")
    true(any(path.endswith(".js") for path in assets.loaded), "a script of its own")
    for path in assets.loaded:
        true(re.match(r"/[^/]", path), f"foreign asset {path}")
        asset = app.anonymous.get(path, headers={"Accept": "*/*"}).expect(200)
        equal(asset.header("Cache-Control"), "public, max-age=3600", asset)
        equal(asset.header("X-Content-Type-Options"), "nosniff", asset)
        kind = {"js": "text/javascript", "css": "text/css"}[path.rpartition(".")[2]]
        found = (asset.header("Content-Type") or "").replace(" ", "").lower()
        equal(found, f"{kind};charset=utf-8", asset)
        true(b"https://" not in asset.body and b"http://" not in asset.body, f"link in {path}")


class Fields(HTMLParser):
    """The fields of a page, and where its form sends them."""

    def __init__(self, page: Answer) -> None:
        super().__init__()
        self.inputs: list[dict[str, str | None]] = []
        self.paths: list[str | None] = []
        self.feed(page.body.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "input":
            self.inputs.append(given)
        elif tag == "form":
            self.paths.append(given.get("data-path"))


@check(2, "The pages behind mailed links load and run nothing foreign", "CSP 3, ASVS 3.4.3, 14.2.3")
def account_pages(app: Target) -> None:
    for path, form in (
        ("/verify-email", f"{API}/auth/verify-email"),
        ("/reset-password", f"{API}/auth/password/reset"),
    ):
        page = is_page(app.anonymous.get(path, headers={"Accept": "text/html"}))
        self_contained(app, page)
        equal(Fields(page).paths, [form], f"where {path} sends")
        # What a link carries is for the page's script alone.
        again = app.anonymous.get(f"{path}?token=x", headers={"Accept": "text/html"})
        equal(again.expect(200).body, page.body, "the page with a query")
        app.anonymous.post(path, {}).problem("method-not-allowed")


@check(2, "A new password is typed masked, and managers may fill it in", "ASVS 6.2.6, 6.2.7")
def account_password_field(app: Target) -> None:
    page = app.anonymous.get("/reset-password", headers={"Accept": "text/html"}).expect(200)
    (field,) = [given for given in Fields(page).inputs if given.get("name") == "password"]
    equal((field.get("type"), field.get("autocomplete")), ("password", "new-password"), "field")
    true("maxlength" not in field or int(field["maxlength"] or 0) >= 128, field)


@check(2, "Static directories are not listed", "ASVS 13.4.3")
def static_listing(app: Target) -> None:
    for path in ("/static", "/static/", "/static/.", "/static//"):
        app.anonymous.get(path, headers={"Accept": "*/*"}).problem("not-found")
    alive(app)


@check(2, "Static files end at their directory", "ASVS 5.3.2")
def static_traversal(app: Target) -> None:
    for path in ("../config.py", "..%2fconfig.py", "%2e%2e/index.ts", "....//x", "docs.js%00"):
        found = app.anonymous.get(f"/static/{path}", headers={"Accept": "*/*"})
        true(found.status in {400, 404}, found)
    alive(app)


@check(2, "security.txt says who to tell", "RFC 9116, ASVS 4.1.1")
def security_txt(app: Target) -> None:
    answer = app.anonymous.get("/.well-known/security.txt", headers={"Accept": "*/*"}).expect(200)
    kind = (answer.header("Content-Type") or "").replace(" ", "").lower()
    equal(kind, "text/plain;charset=utf-8", answer)
    lines = answer.body.decode().splitlines()
    fields = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    true(fields["Contact"].startswith("mailto:") and "@" in fields["Contact"], fields)
    expires = datetime.fromisoformat(fields["Expires"])
    left = expires - datetime.now(UTC)
    true(timedelta(days=1) < left <= timedelta(days=366), f"expires in {left}")
    equal(fields["Canonical"], f"{app.operator.public_url}/.well-known/security.txt", "Canonical")


@check(2, "Each problem type has a page, and no other", "RFC 9457 3.1.1")
def problem_pages(app: Target) -> None:
    for name in PROBLEMS:
        page = is_page(app.anonymous.get(f"/problems/{name}", headers={"Accept": "text/html"}))
        true(PROBLEMS[name][1].encode() in page.body, f"{page} does not name its title")
    app.anonymous.get("/problems/no-such-problem").problem("not-found")
    app.anonymous.get("/problems/%3Cscript%3E").problem("not-found")


@check(2, "HEAD answers like GET without a body", "RFC 9110 9.3.2")
def head(app: Target) -> None:
    person = app.person()
    note = app.note(person)
    paths = ("/healthz", "/readyz", "/openapi.json", "/docs", f"{API}/users/me")
    for path in (*paths, f"{API}/notes/{note['id']}", f"{API}/notes"):
        get, got = (person.client.request(m, path, headers={"Accept": "*/*"}) for m in GET_HEAD)
        equal(got.expect(200).body, b"", got)
        for name in ("Content-Type", "ETag", "Cache-Control", "Content-Length"):
            equal(got.header(name), get.header(name), f"{name} of {got}")


GET_HEAD = ("GET", "HEAD")
