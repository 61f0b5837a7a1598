"""The application: an ordered list of parts."""

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


def create_app(config: Config) -> Flask:
    """Put the parts together; nothing is connected before the first request."""
    app = Flask("app", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.extensions["config"] = config
    app.session_interface = NoCookies()
    for part in PARTS:
        part.init_app(app)
    return app
