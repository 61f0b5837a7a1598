"""The Flask app as servers find it that import it: `wsgi:application`."""

from __future__ import annotations

import os

from app import create_app, logs
from app.config import load

config = load(os.environ)
logs.configure(config)
application = create_app(config)
