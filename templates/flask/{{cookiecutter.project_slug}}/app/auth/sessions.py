"""Opaque session tokens: made, checked, ended."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import request
from sqlalchemy import Row, Select, bindparam, delete, select, update
from sqlalchemy.orm import Session as Work

from app import config, db, ids
from app.auth.model import Session, User
from app.locals import Viewer, cookie_name
from app.users.schema import show

_TOKEN = re.compile("[A-Za-z0-9_-]{43}")
TOUCH = timedelta(minutes=1)
_COLUMNS = select(
    Session.id.label("session_id"),
    Session.last_seen_at,
    Session.expires_at,
    User.id,
    User.email,
    User.name,
    User.role,
    User.disabled,
    User.email_verified_at,
    User.created_at,
    User.updated_at,
)
# Built once: building a statement costs more than sending it.
_LOOKUP = _COLUMNS.join(User, User.id == Session.user_id).where(
    Session.token_hash == bindparam("token_hash")
)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _idle() -> timedelta:
    return timedelta(days=config.current().session_idle_days)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    token: str
    expires_at: datetime
    user: dict[str, Any]


def begin(work: Work, user: User) -> LoggedIn:
    """Store a new session and return its token, which is kept nowhere."""
    moment = ids.now()
    work.execute(delete(Session).where(Session.expires_at < moment))
    token = secrets.token_urlsafe(32)
    session = Session(
        id=ids.new_id(),
        user_id=user.id,
        token_hash=_hash(token),
        user_agent=_shown(request.headers.get("User-Agent")),
        client_address=request.environ["app.client"][:45] or None,
        created_at=moment,
        last_seen_at=moment,
        expires_at=moment + timedelta(days=config.current().session_max_days),
    )
    work.add(session)
    return LoggedIn(token, session.expires_at, show(user))


def renew(work: Work, user: User) -> LoggedIn:
    """End all sessions of somebody and begin a new one."""
    end_all(work, user.id)
    return begin(work, user)


def give_cookie(token: str) -> dict[str, str]:
    return _cookie(token, config.current().session_max_days * 86400)


def take_cookie(viewer: Viewer) -> dict[str, str]:
    """Take the cookie back from who came with one."""
    return _cookie("", 0) if viewer.by_cookie else {}


def _cookie(token: str, seconds: int) -> dict[str, str]:
    is_https = config.current().is_https
    name = cookie_name(is_https=is_https)
    secure = "; Secure" if is_https else ""
    value = f"{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
    return {"Set-Cookie": value}


def _shown(text: str | None) -> str | None:
    return "".join(sign if sign.isprintable() else "?" for sign in text[:255]) if text else None


def _sent() -> tuple[str, bool]:
    """Return the token of the request and whether a cookie brought it."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip(), False
    name = cookie_name(is_https=config.current().is_https)
    return request.cookies.get(name, ""), True


def authenticate() -> Viewer | None:
    """Find the live session of the request: one query, and a write at most once a minute."""
    token, by_cookie = _sent()
    if not _TOKEN.fullmatch(token):
        return None
    moment = ids.now()
    with db.reading() as work:
        row = work.execute(_LOOKUP, {"token_hash": _hash(token)}).first()
        if row is None or row.disabled or moment >= min(row.expires_at, row.last_seen_at + _idle()):
            return None
        if moment - row.last_seen_at >= TOUCH:
            seen = update(Session).where(Session.id == row.session_id)
            work.execute(seen.values(last_seen_at=moment))
    return _viewer(row, by_cookie=by_cookie)


def _viewer(row: Row[*tuple[Any, ...]], *, by_cookie: bool) -> Viewer:
    return Viewer(
        session_id=row.session_id,
        user_id=row.id,
        email=row.email,
        name=row.name,
        role=row.role,
        email_verified_at=row.email_verified_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        by_cookie=by_cookie,
    )


def live(user_id: str) -> Select[Session]:
    moment = ids.now()
    return (
        select(Session)
        .where(
            Session.user_id == user_id,
            Session.expires_at > moment,
            Session.last_seen_at > moment - _idle(),
        )
        .order_by(Session.id.desc())
    )


def end(work: Work, user_id: str, session_id: str) -> bool:
    gone = delete(Session).where(Session.id == session_id, Session.user_id == user_id)
    return db.has_changed(work.execute(gone))


def end_all(work: Work, user_id: str, except_id: str | None = None) -> None:
    gone = delete(Session).where(Session.user_id == user_id)
    work.execute(gone.where(Session.id != except_id) if except_id else gone)
