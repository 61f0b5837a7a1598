"""The application: an ordered list of parts."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

from app import (
    api,
    auth,
    db,
    errors,
    health,
    limits,
    logs,
    mail,
    metrics,
    notes,
    pages,
    security,
    traces,
    users,
)
from app.config import Config

# The first is innermost: what comes later sees more of each request's life.
PARTS = [db, errors, api, mail, auth, health, security, limits, pages, users, notes]
PARTS += [metrics, traces, logs]


class NoCookies(SessionInterface):
    """Flask's own sessions are not used: ours are in the database."""

    nothing = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self.nothing


class App(Flask):
    """Flask without what nothing here needs, and each request would pay for."""

    session_interface = NoCookies()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Nothing here is a coroutine: functions are not looked at each time they are called."""
        return func


def create_app(config: Config) -> Flask:
    """Put the parts together; nothing is connected before the first request."""
    app = App("app", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.extensions["config"] = config
    for part in PARTS:
        part.init_app(app)
    return app
