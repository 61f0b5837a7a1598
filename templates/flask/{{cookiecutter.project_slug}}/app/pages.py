"""The pages people read: API reference, problem types and security contact."""

from datetime import timedelta
from functools import partial
from html import escape
from pathlib import Path

import orjson
from flask import Flask, Response, request

from app import config, ids, openapi
from app.errors import PROBLEMS, TITLES, Problem

_HERE = Path(__file__).parent
CONTACT = (_HERE / "data" / "contact.txt").read_text("utf-8").strip()
SCRIPT = "text/javascript; charset=utf-8"
ASSETS = {"account.js": SCRIPT, "docs.css": "text/css; charset=utf-8", "docs.js": SCRIPT}
HTML = "text/html; charset=utf-8"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/static/docs.css">
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<p>Status: {status} {status_title}</p>
<p><a href="/docs">API reference</a></p>
</main>
</body>
</html>
"""


def init_app(app: Flask) -> None:
    started = ids.now()
    for name in ("docs", "verify-email", "reset-password"):
        app.add_url_rule(f"/{name}", name, partial(_static_page, name))
    app.add_url_rule("/static/<name>", "static", _asset)
    app.add_url_rule("/problems/<name>", "problem", _problem)
    cached: list[bytes] = []

    @app.get("/openapi.json", endpoint="openapi")
    def _openapi() -> Response:
        if not cached:
            cached.append(orjson.dumps(openapi.document(app)))
        return _answer(cached[0], "application/json")

    @app.get("/.well-known/security.txt", endpoint="security")
    def _security() -> Response:
        expires = ids.format_time(started + timedelta(days=365))
        canonical = f"{config.current().public_url}/.well-known/security.txt"
        text = f"Contact: mailto:{CONTACT}\nExpires: {expires}\nCanonical: {canonical}\n"
        return _answer(text.encode(), "text/plain; charset=utf-8")


def _answer(data: bytes, content_type: str, cache: str = "no-cache") -> Response:
    response = Response(data, content_type=content_type)
    response.headers["Cache-Control"] = cache
    return response


def _page(data: bytes) -> Response:
    request.environ["app.is_page"] = True
    return _answer(data, HTML)


def _static_page(name: str) -> Response:
    return _page((_HERE / "static" / f"{name}.html").read_bytes())


def _asset(name: str) -> Response:
    if name not in ASSETS:
        raise Problem("not-found")
    return _answer((_HERE / "static" / name).read_bytes(), ASSETS[name], "public, max-age=3600")


def _problem(name: str) -> Response:
    if name not in PROBLEMS:
        raise Problem("not-found")
    status, text = PROBLEMS[name]
    filled = PAGE.format(
        title=escape(name), text=escape(text), status=status, status_title=TITLES[status]
    )
    return _page(filled.encode())
