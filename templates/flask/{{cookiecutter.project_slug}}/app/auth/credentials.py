"""The rules of confirming addresses and of setting passwords."""

from functools import partial

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session as Work

from app import config, db, ids, logs, mail
from app.auth import guessing, passwords, sessions, tokens
from app.auth.model import RecoveryCode, User, lock_user
from app.auth.schema import PasswordChange, PasswordReset
from app.auth.sessions import LoggedIn
from app.auth.tokens import Purpose
from app.errors import Problem
from app.locals import Viewer


def check(email: str, password: str) -> User:
    """Count an attempt, and return the user whose password it is."""
    guessing.attempt(email)
    with db.reading() as work:
        user = work.scalars(select(User).where(User.email_normalized == email)).first()
    is_right = passwords.verify(user.password_hash if user else None, password)
    if user is None or not is_right or user.disabled:
        raise refused(user)
    return user


def refused(user: User | None) -> Problem:
    logs.event("login.failed", subject=user and user.id)
    return Problem("invalid-credentials")


def confirm(email: str, password: str) -> User:
    """Ask for the password again before something that cannot be undone."""
    user = check(email.lower(), password)
    guessing.succeed(user.email_normalized)
    return user


def hold(work: Work, checked: User) -> User:
    """Hold the row of a user whose password was right, if it still is."""
    same = User.password_hash == checked.password_hash
    user = lock_user(work, User.id == checked.id, same, User.disabled.is_(False))
    if user is None:
        raise refused(checked)
    return user


def greet_again(email: str) -> None:
    """For an account that somebody tried to make again."""
    mail.later(partial(_greet_again, email))


def _greet_again(email: str) -> None:
    with db.reading() as work:
        user = work.scalars(select(User).where(*_has_address(email))).first()
    if user:
        mail.post(user.email, "known-address")


def resend(email: str) -> None:
    """Send a link that confirms the address, for a new account or once more."""
    is_unverified = User.email_verified_at.is_(None)
    mail.later(partial(_send_link, "verify-email", *_has_address(email), is_unverified))


def forgot(email: str) -> None:
    mail.later(partial(_send_link, "reset-password", *_has_address(email)))


def _has_address(email: str) -> list[ColumnElement[bool]]:
    return [User.email_normalized == email.lower(), User.disabled.is_(False)]


def _send_link(purpose: Purpose, *conditions: ColumnElement[bool]) -> None:
    """Send a new token to the user who meets the conditions, if there is one."""
    with db.writing() as work:
        user = lock_user(work, *conditions)
        token = tokens.make(work, user, purpose) if user else ""
    if user:
        # The fragment reaches no server, no log and no Referer.
        mail.post(user.email, purpose, f"{config.current().public_url}/{purpose}#token={token}")


def verify(token: str) -> None:
    with db.writing() as work:
        user = tokens.use(work, token, "verify-email")
        if user.email_verified_at is None:
            user.email_verified_at = user.updated_at = ids.now()
    logs.event("email.verified", subject=user.id)


def reset(wanted: PasswordReset) -> None:
    """Set a new password for who reads the account's mail; every session ends."""
    passwords.check_strength(wanted.password)
    with db.reading() as work:
        user = tokens.find(work, wanted.token, "reset-password")
    if user.disabled:
        raise tokens.wrong()
    passwords.check_personal(wanted.password, user.email, user.name)
    fresh = passwords.hash_password(wanted.password)
    with db.writing() as work:
        user = tokens.use(work, wanted.token, "reset-password")
        if user.disabled:
            raise tokens.wrong()
        user.password_hash = fresh
        user.updated_at = ids.now()
        if user.email_verified_at is None:
            # Whoever switched it on never proved to own the address; the mail does.
            remove_second_factor(work, user)
        user.email_verified_at = user.email_verified_at or user.updated_at
        tokens.drop(work, user.id, "reset-password")
        sessions.end_all(work, user.id)
    guessing.succeed(user.email_normalized)
    mail.post(user.email, "password-changed")
    logs.event("password.reset", subject=user.id)


def remove_second_factor(work: Work, user: User) -> None:
    user.totp_secret = user.totp_confirmed_at = user.totp_last_step = None
    work.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


def change(viewer: Viewer, wanted: PasswordChange) -> LoggedIn:
    """Set a new password for who knows the old one; all sessions end, and a new one begins."""
    passwords.check_strength(wanted.password)
    passwords.check_personal(wanted.password, viewer.email, viewer.name)
    checked = confirm(viewer.email, wanted.current_password)
    fresh = passwords.hash_password(wanted.password)
    with db.writing() as work:
        user = hold(work, checked)
        user.password_hash = fresh
        user.updated_at = ids.now()
        tokens.drop(work, user.id, "reset-password")
        done = sessions.renew(work, user)
    mail.post(user.email, "password-changed")
    logs.event("password.changed", subject=user.id)
    return done
