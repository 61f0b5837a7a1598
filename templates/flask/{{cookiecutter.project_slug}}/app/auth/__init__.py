"""Accounts and sessions."""

from flask import Flask

from app.auth import routes, sessions


def init_app(app: Flask) -> None:
    app.extensions["authenticate"] = sessions.authenticate
    routes.routes.init_app(app)
