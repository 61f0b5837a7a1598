"""People: oneself, and everyone for admins."""

from flask import Flask

from app.users import routes


def init_app(app: Flask) -> None:
    routes.routes.init_app(app)
