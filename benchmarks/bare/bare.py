"""What the Flask app is compared with: runs inside a rendered project, on its libraries alone."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
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


def by_note(rows: Iterable[Any]) -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    for note_id, tag in rows:
        found.setdefault(note_id, []).append(tag)
    return found


class Orm:
    """The app's statements through its engine and its models."""

    def __init__(self) -> None:
        from app import db
        from app.auth.model import Session, User
        from app.notes.model import Note, NoteTag
        from sqlalchemy import Integer, bindparam, select

        self.engine = db.connect(os.environ["DATABASE_URL"], 10)
        self.note, self.tag = Note, NoteTag
        times = (Session.last_seen_at, Session.expires_at)
        owner = select(Session.id, *times, *_account(User))
        self.lookup = owner.join(User, User.id == Session.user_id).where(
            Session.token_hash == bindparam("token_hash")
        )
        listed = select(*Note.__table__.columns).where(Note.user_id == bindparam("user_id"))
        self.listing = listed.order_by(Note.id.desc()).limit(bindparam("most", type_=Integer))
        self.tags = (
            select(NoteTag.note_id, NoteTag.tag)
            .where(NoteTag.note_id.in_(bindparam("ids", expanding=True)))
            .order_by(NoteTag.note_id, NoteTag.position)
        )

    def user(self, token_hash: str) -> Any:
        with self.session() as work:
            return work.execute(self.lookup, {"token_hash": token_hash}).one().user_id

    def session(self) -> Any:
        from sqlalchemy.orm import Session

        return Session(self.engine, autoflush=False, expire_on_commit=False)

    def listed(self, user_id: str) -> list[dict[str, Any]]:
        with self.session() as work:
            notes = work.execute(self.listing, {"user_id": user_id, "most": 21}).all()
            tags = by_note(work.execute(self.tags, {"ids": [note.id for note in notes]}))
        return [show(_shown(note), tags.get(note.id, [])) for note in notes]

    def create(self, user_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
        from app import databases, ids
        from sqlalchemy.orm import Session

        now = ids.now()
        about = {"user_id": user_id, "version": 1, "created_at": now, "updated_at": now}
        text = {"title": wanted["title"], "body": wanted["body"]}
        note = self.note(id=ids.new_id(), **about, **text)
        with self.engine.connect() as connection:
            begin = databases.by_dialect(connection.dialect.name).begin
            connection.exec_driver_sql(begin)
            with Session(connection, autoflush=False, expire_on_commit=False) as work:
                work.add(note)
                work.flush()
                pairs = enumerate(wanted["tags"])
                work.add_all(self.tag(note_id=note.id, position=at, tag=tag) for at, tag in pairs)
                work.flush()
                connection.exec_driver_sql("COMMIT")
            return show(_shown(note), wanted["tags"])


def _account(user: Any) -> list[Any]:
    names = ("email", "name", "role", "disabled", "email_verified_at", "created_at", "updated_at")
    return [user.id.label("user_id"), *(getattr(user, name) for name in names)]


def _shown(note: Any) -> Row:
    return (note.id, note.title, note.body, note.created_at, note.updated_at)


LOOKUP = """SELECT s.id, s.last_seen_at, s.expires_at, u.id, u.email, u.name, u.role, u.disabled,
u.email_verified_at, u.created_at, u.updated_at
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ?"""
LISTING = """SELECT id, title, body, created_at, updated_at, user_id, version
FROM notes WHERE user_id = ? ORDER BY id DESC LIMIT ?"""
TAGS = "SELECT note_id, tag FROM note_tags WHERE note_id IN ({}) ORDER BY note_id, position"
NOTE = """INSERT INTO notes (id, user_id, title, body, version, created_at, updated_at)
VALUES (?, ?, ?, ?, 1, ?, ?)"""
TAG = "INSERT INTO note_tags (note_id, position, tag) VALUES (?, ?, ?)"


class Driver:
    """The same statements through the driver alone, on one connection a thread."""

    def __init__(self) -> None:
        self.url = os.environ["DATABASE_URL"]
        self.is_sqlite = self.url.startswith("sqlite")
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
        notes = self.all(LISTING, user_id, 21)
        marks = ", ".join("?" for _ in notes)
        tags = by_note(self.all(TAGS.format(marks), *(note[0] for note in notes)))
        return [show(note[:5], tags.get(note[0], [])) for note in notes]

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
    "orm": lambda: handlers(Orm()),
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
