"""The rules of registering and logging in."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from app import db, ids, logs
from app.auth import guessing, passwords, sessions
from app.auth.model import Session, User
from app.auth.schema import Login, Register
from app.errors import Problem
from app.ids import format_time
from app.users.schema import show


@dataclass(frozen=True, slots=True)
class LoggedIn:
    token: str
    session: Session
    user: dict[str, Any]


def register(wanted: Register) -> None:
    """Make the account, or do the same work for nothing when the address is known."""
    passwords.check(wanted.password, wanted.email, wanted.name)
    moment = ids.now()
    user = User(
        id=ids.new_id(),
        email=wanted.email,
        email_normalized=wanted.email.lower(),
        name=wanted.name,
        password_hash=passwords.hash_password(wanted.password),
        created_at=moment,
        updated_at=moment,
    )
    user_id = user.id
    try:
        with db.writing() as work:
            work.add(user)
    except Exception as error:
        if not db.is_unique_violation(error):
            raise
        logs.event("register.known")
    else:
        logs.event("register", subject=user_id)


def login(wanted: Login) -> LoggedIn:
    """Check the password and begin a session."""
    email = wanted.email.lower()
    user = _checked(email, wanted.password)
    moment = ids.now()
    with db.writing() as work:
        if passwords.is_outdated(user.password_hash):
            fresh = passwords.hash_password(wanted.password)
            work.execute(update(User).where(User.id == user.id).values(password_hash=fresh))
        token, session = sessions.create(work, user.id, moment)
    logs.event("login", subject=user.id)
    return LoggedIn(token, session, show(user))


def _checked(email: str, password: str) -> User:
    guessing.attempt(email)
    with db.reading() as work:
        user = work.scalars(select(User).where(User.email_normalized == email)).first()
    is_right = passwords.verify(user.password_hash if user else None, password)
    if user is None or not is_right or user.disabled:
        logs.event("login.failed", subject=user and user.id)
        raise Problem("invalid-credentials")
    guessing.succeed(email)
    return user


def confirm(email: str, password: str) -> User:
    """Ask for the password again before something that cannot be undone."""
    return _checked(email.lower(), password)


def list_sessions(user_id: str, current_id: str) -> list[dict[str, Any]]:
    with db.reading() as work:
        found = work.scalars(sessions.live(user_id)).all()
    return [
        {
            "id": session.id,
            "user_agent": session.user_agent,
            "client_address": session.client_address,
            "created_at": format_time(session.created_at),
            "last_seen_at": format_time(session.last_seen_at),
            "expires_at": format_time(session.expires_at),
            "current": session.id == current_id,
        }
        for session in found
    ]


def logout(user_id: str, session_id: str) -> None:
    with db.reading() as work:
        sessions.end(work, user_id, session_id)
    logs.event("logout", subject=user_id)


def end_session(user_id: str, session_id: str) -> None:
    with db.reading() as work:
        if not sessions.end(work, user_id, session_id):
            raise Problem("not-found")
    logs.event("session.ended", subject=user_id)


def end_other_sessions(user_id: str, current_id: str) -> None:
    with db.reading() as work:
        sessions.end_all(work, user_id, except_id=current_id)
    logs.event("sessions.ended", subject=user_id)
