"""One-time tokens: made, and used once."""

import hashlib
import secrets
from datetime import timedelta
from typing import Literal

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session as Work

from app import db, ids
from app.auth.model import OneTimeToken, User, lock_user
from app.errors import Problem
from app.validation import invalid

Purpose = Literal["verify-email", "reset-password"]
LIFETIMES: dict[Purpose, timedelta] = {
    "verify-email": timedelta(hours=24),
    "reset-password": timedelta(hours=1),
}


def wrong() -> Problem:
    return invalid("#/token", "is wrong, used or expired")


def make(work: Work, user: User, purpose: Purpose) -> str:
    """Store a new token and return it; it is kept nowhere."""
    moment = ids.now()
    is_over = or_(OneTimeToken.used_at.is_not(None), OneTimeToken.expires_at <= moment)
    work.execute(delete(OneTimeToken).where(OneTimeToken.user_id == user.id, is_over))
    token = secrets.token_urlsafe(32)
    work.add(
        OneTimeToken(
            id=ids.new_id(),
            user_id=user.id,
            purpose=purpose,
            email_normalized=user.email_normalized,
            token_hash=_hash(token),
            created_at=moment,
            expires_at=moment + LIFETIMES[purpose],
        )
    )
    return token


def find(work: Work, token: str, purpose: Purpose) -> User:
    """Return whose token it is, or refuse it."""
    same_address = OneTimeToken.email_normalized == User.email_normalized
    owner = select(User).join(OneTimeToken, OneTimeToken.user_id == User.id)
    user = work.scalars(owner.where(*_is_good(token, purpose), same_address)).first()
    if user is None:
        raise wrong()
    return user


def use(work: Work, token: str, purpose: Purpose) -> User:
    """Use the token up, once and for all, and return its user, whose row is held."""
    owner = find(work, token, purpose)
    same_address = User.email_normalized == owner.email_normalized
    user = lock_user(work, User.id == owner.id, same_address)
    used = update(OneTimeToken).where(*_is_good(token, purpose)).values(used_at=ids.now())
    if user is None or not db.has_changed(work.execute(used)):
        raise wrong()
    return user


def drop(work: Work, user_id: str, purpose: Purpose) -> None:
    """Delete what was not used."""
    mine = delete(OneTimeToken).where(
        OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose
    )
    work.execute(mine.where(OneTimeToken.used_at.is_(None)))


def _is_good(token: str, purpose: Purpose) -> list[ColumnElement[bool]]:
    return [
        OneTimeToken.token_hash == _hash(token),
        OneTimeToken.purpose == purpose,
        OneTimeToken.used_at.is_(None),
        OneTimeToken.expires_at > ids.now(),
    ]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
