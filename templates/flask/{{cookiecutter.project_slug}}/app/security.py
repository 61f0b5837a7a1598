"""Security headers, CORS and the origin check."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request

from app import config, errors
from app.config import Config
from app.errors import TITLES, Problem

_POLICY = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
API_POLICY = f"default-src 'none'; {_POLICY}"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    f"connect-src 'self'; {_POLICY}"
)
_OFF = [
    "accelerometer",
    "camera",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "payment",
    "usb",
]
COMMON = [
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", ", ".join(f"{name}=()" for name in _OFF)),
    ("X-Frame-Options", "DENY"),
]
EXPOSED = "ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id"
    ),
    "Access-Control-Max-Age": "600",
}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def headers(config: Config, *, is_page: bool) -> list[tuple[str, str]]:
    """Return what every answer carries."""
    found = [
        ("Content-Security-Policy", PAGE_POLICY if is_page else API_POLICY),
        ("Referrer-Policy", "strict-origin-when-cross-origin" if is_page else "no-referrer"),
        *COMMON,
    ]
    if config.is_https:
        found.append(("Strict-Transport-Security", "max-age=63072000; includeSubDomains"))
    return found


def check_origin() -> None:
    """Refuse a change asked for with a cookie unless our own pages ask."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    else:
        settings = config.current()
        origin = request.headers.get("Origin", "")
        is_ours = origin == settings.public_url or origin in settings.cors_origins
    if not is_ours:
        raise Problem("csrf")


def init_app(app: Flask) -> None:
    settings: Config = app.extensions["config"]
    inner = app.wsgi_app
    api, page = headers(settings, is_page=False), headers(settings, is_page=True)

    def add_headers(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(line: str, given: list[tuple[str, str]], exc_info: Any = None) -> Any:
            environ["app.status"] = int(line[:3])
            extra = [("X-Request-Id", environ["app.request_id"]), *environ.get("app.headers", ())]
            if settings.cors_origins:
                extra += _cors(environ, settings)
            common = page if environ.get("app.is_page") else api
            return start_response(_line(line), [*given, *common, *extra], exc_info)

        return inner(environ, start)

    app.wsgi_app = add_headers  # type: ignore[method-assign]
    app.before_request(_preflight)


def _line(line: str) -> str:
    """Write the status line's phrase as RFC 9110 does."""
    status = int(line[:3])
    return f"{status} {TITLES.get(status) or HTTPStatus(status).phrase}"


def _cors(environ: dict[str, Any], settings: Config) -> list[tuple[str, str]]:
    origin = environ.get("HTTP_ORIGIN", "")
    if origin not in settings.cors_origins:
        return [("Vary", "Origin")]
    return [
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", EXPOSED),
    ]


def _preflight() -> Response | None:
    """Answer the question a browser asks before it lets another origin call us."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    origin = request.headers.get("Origin", "")
    return errors.empty(PREFLIGHT) if origin in config.current().cors_origins else None
