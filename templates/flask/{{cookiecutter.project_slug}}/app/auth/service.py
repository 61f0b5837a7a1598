"""The rules of registering and logging in."""

from typing import Any

from sqlalchemy.orm import Session as Work

from app import config, db, ids, logs
from app.auth import credentials, guessing, passwords, sessions, totp
from app.auth.model import User
from app.auth.schema import Login, Register
from app.auth.sessions import LoggedIn
from app.errors import Problem
from app.ids import format_time
from app.locals import current_viewer


def register(wanted: Register) -> None:
    """Make the account, or do the same work for nothing when the address is known."""
    passwords.check_strength(wanted.password)
    passwords.check_personal(wanted.password, wanted.email, wanted.name)
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
        credentials.greet_again(wanted.email)
        logs.event("register.known")
    else:
        credentials.resend(wanted.email)
        logs.event("register", subject=user_id)


def login(wanted: Login) -> LoggedIn:
    """Begin a session for who proves to be this account, in place of the one sent along."""
    checked = credentials.check(wanted.email.lower(), wanted.password)
    carried = current_viewer()
    fresh = None
    if passwords.is_outdated(checked.password_hash):
        fresh = passwords.hash_password(wanted.password)
    with db.writing() as work:
        user = credentials.hold(work, checked)
        factor = _second_factor(work, user, wanted.code)
        if config.current().require_verified_email and user.email_verified_at is None:
            raise Problem("email-not-verified")
        user.password_hash = fresh or user.password_hash
        if carried:
            sessions.end(work, carried.user_id, carried.session_id)
        done = sessions.begin(work, user)
    guessing.succeed(user.email_normalized)
    if factor == "recovery-code":
        logs.event("recovery-code.used", subject=user.id)
    logs.event("login", subject=user.id, factor=factor or "password")
    return done


def _second_factor(work: Work, user: User, code: str | None) -> str | None:
    """Say which kind of code was used up, if one is wanted at all."""
    if user.totp_confirmed_at is None:
        return None
    if code is None:
        raise Problem("second-factor-required")
    factor = totp.accept(work, user, code)
    if factor is None:
        raise credentials.refused(user)
    return factor


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
