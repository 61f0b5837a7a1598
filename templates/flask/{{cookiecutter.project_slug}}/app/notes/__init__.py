"""Notes: the sample resource."""

from flask import Flask

from app.notes import routes


def init_app(app: Flask) -> None:
    routes.routes.init_app(app)
