"""What the Flask app is compared with: runs inside a rendered project, on its libraries alone."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from waitress.server import create_server

BODY = b'{"status":"ok"}'
NOTES = "/api/v1/notes"
Row = tuple[Any, ...]


def raw() -> Callable[..., Any]:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        length = ("Content-Length", str(len(BODY)))
        start_response("200 OK", [("Content-Type", "application/json"), length])
        return [BODY]

    return app


def bare() -> Callable[..., Any]:
    from flask import Flask

    app = Flask("bare", static_folder=None)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def handlers(queries: Any) -> Callable[..., Any]:
    """Ask, serialise, answer; nothing is checked and nothing is added."""
    import orjson
    from flask import Flask, Response, request

    app = Flask("bare", static_folder=None)

    def user_id() -> str:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        return str(queries.user(hashlib.sha256(token.encode()).hexdigest()))

    @app.get(NOTES)
    def list_notes() -> Response:
        body = {"items": queries.listed(user_id()), "next": None}
        return Response(orjson.dumps(body), content_type="application/json")

    @app.post(NOTES)
    def create_note() -> Response:
        note = queries.create(user_id(), orjson.loads(request.get_data()))
        return Response(orjson.dumps(note), 201, content_type="application/json")

    return app


def show(note: Any, tags: list[str]) -> dict[str, Any]:
    note_id, title, body, created, updated = note
    return {
        "id": str(note_id),
        "title": title,
        "body": body,
        "tags": tags,
        "created_at": moment(created),
        "updated_at": moment(updated),
    }


def moment(value: Any) -> str:
    """Times come as text from SQLite's driver and as objects from the others."""
    text = value if isinstance(value, str) else value.isoformat("T", "microseconds")
    return f"{text[:10]}T{text[11:26]}Z"


LOOKUP = """SELECT s.id AS session_id, s.last_seen_at, s.expires_at, u.id, u.email, u.name,
u.role, u.disabled, u.email_verified_at, u.created_at, u.updated_at
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ?"""
LISTING = """SELECT n.id, n.title, n.body, n.created_at, n.updated_at, {} AS tags
FROM notes n WHERE n.user_id = ? ORDER BY n.id DESC LIMIT ?"""
TAGS_SQLITE = """(SELECT json_group_array(t.tag)
FROM (SELECT tag FROM note_tags WHERE note_id = n.id ORDER BY position) t)"""
TAGS_POSTGRESQL = """array_to_json(ARRAY(
SELECT t.tag FROM note_tags t WHERE t.note_id = n.id ORDER BY t.position))::text"""
NOTE = """INSERT INTO notes (id, user_id, title, body, version, created_at, updated_at)
VALUES (?, ?, ?, ?, 1, ?, ?)"""
TAG = "INSERT INTO note_tags (note_id, position, tag) VALUES (?, ?, ?)"


class Driver:
    """The app's statements through its driver alone, on one connection a thread."""

    def __init__(self) -> None:
        self.url = os.environ["DATABASE_URL"]
        self.is_sqlite = self.url.startswith("sqlite")
        self.listing = LISTING.format(TAGS_SQLITE if self.is_sqlite else TAGS_POSTGRESQL)
        self.local = threading.local()

    def connection(self) -> Any:
        if not hasattr(self.local, "connection"):
            self.local.connection = self.connect()
        return self.local.connection

    def connect(self) -> Any:
        if not self.is_sqlite:
            import psycopg

            return psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC")
        import sqlite3

        path = self.url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("busy_timeout = 5000", "foreign_keys = ON", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def text(self, statement: str) -> str:
        return statement if self.is_sqlite else statement.replace("?", "%s")

    def all(self, statement: str, *values: Any) -> list[Row]:
        return list(self.connection().execute(self.text(statement), values).fetchall())

    def user(self, token_hash: str) -> Any:
        return self.all(LOOKUP, token_hash)[0][3]

    def listed(self, user_id: str) -> list[dict[str, Any]]:
        import orjson

        return [show(row[:5], orjson.loads(row[5])) for row in self.all(self.listing, user_id, 21)]

    def create(self, user_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
        from app import ids

        note_id, now = ids.new_id(), ids.now()
        time = now.isoformat(" ", "microseconds")[:26] if self.is_sqlite else now
        cursor = self.connection().cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
        row = (note_id, user_id, wanted["title"], wanted["body"], time, time)
        cursor.execute(self.text(NOTE), row)
        rows = [(note_id, at, tag) for at, tag in enumerate(wanted["tags"])]
        cursor.executemany(self.text(TAG), rows)
        cursor.execute("COMMIT")
        return show((note_id, wanted["title"], wanted["body"], time, time), wanted["tags"])


KINDS: dict[str, Callable[[], Callable[..., Any]]] = {
    "raw": raw,
    "bare": bare,
    "driver": lambda: handlers(Driver()),
}


def work(kind: str, listener: socket.socket) -> None:
    """Serve with the settings of the app's worker."""
    server: Any = create_server(
        KINDS[kind](),
        sockets=[listener],
        threads=8,
        connection_limit=1000,
        channel_timeout=15,
        cleanup_interval=1,
        ident=None,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=False,
    )
    server.run()


def main() -> None:
    import logging

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=1024)
    workers = []
    for _ in range(int(os.environ["WEB_CONCURRENCY"])):
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            work(sys.argv[1], listener)
        workers.append(pid)

    def stop(*_: object) -> None:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGTERM, stop)
    for pid in workers:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
