"""Opaque session tokens: made, checked, ended."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import request
from sqlalchemy import Select, bindparam, delete, select, update
from sqlalchemy.orm import Session as Work
from sqlalchemy.orm import aliased

from app import config, db, ids
from app.auth.model import Session, User
from app.locals import Viewer, cookie_name
from app.users.schema import show

_TOKEN = re.compile("[A-Za-z0-9_-]{43}")
TOUCH = timedelta(minutes=1)
_s, _u = aliased(Session, name="s"), aliased(User, name="u")
_COLUMNS = select(
    _s.id.label("session_id"),
    _s.last_seen_at,
    _s.expires_at,
    _u.id.label("user_id"),
    _u.email,
    _u.name,
    _u.role,
    _u.disabled,
    _u.email_verified_at,
    _u.created_at,
    _u.updated_at,
)
_LOOKUP = db.Read(
    _COLUMNS.join(_u, _u.id == _s.user_id).where(_s.token_hash == bindparam("token_hash"))
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
    found = _LOOKUP.ask(token_hash=_hash(token))
    if not found:
        return None
    row = found[0]
    seen_at, is_disabled = row.pop("last_seen_at"), row.pop("disabled")
    if is_disabled or moment >= min(row.pop("expires_at"), seen_at + _idle()):
        return None
    if moment - seen_at >= TOUCH:
        _note_seen(row["session_id"], moment)
    return Viewer(**row, by_cookie=by_cookie)


def _note_seen(session_id: str, moment: datetime) -> None:
    """Write the time down; where nothing can be written, reading goes on."""
    seen = update(Session).where(Session.id == session_id).values(last_seen_at=moment)
    try:
        with db.reading() as work:
            work.execute(seen)
    except Exception as error:
        if not db.is_unavailable(error):
            raise
        db.tell(error)


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
