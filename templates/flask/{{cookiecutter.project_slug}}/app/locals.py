"""What is known about a request while it is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import current_app, g, request

_UNASKED = object()
KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Viewer:
    """The user of a live session."""

    session_id: str
    user_id: str
    email: str
    name: str
    role: str
    email_verified_at: datetime | None
    created_at: datetime
    updated_at: datetime
    by_cookie: bool


def current_viewer() -> Viewer | None:
    """Return the user of this request; asked of the database once."""
    known = g.get("viewer", _UNASKED)
    if known is _UNASKED:
        known = g.viewer = _authenticate()
    return cast("Viewer | None", known)


def _authenticate() -> Viewer | None:
    authenticate: Callable[[], Viewer | None] | None
    authenticate = current_app.extensions.get("authenticate")
    found = authenticate() if authenticate else None
    if found:
        request.environ["app.user_id"] = found.user_id
    return found


def cookie_name(*, is_https: bool) -> str:
    return "__Host-session" if is_https else "session"


def has_cookie() -> bool:
    is_https = current_app.extensions["config"].is_https
    return cookie_name(is_https=is_https) in request.cookies


def method(environ: dict[str, Any]) -> str:
    sent: str = environ["REQUEST_METHOD"]
    return sent if sent in KNOWN_METHODS else "OTHER"


def route(environ: dict[str, Any]) -> str:
    """Return the template of the path, never the path itself."""
    return str(environ.get("app.route", "unmatched"))
