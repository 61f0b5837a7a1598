"""The second factor: time-based codes (RFC 6238) and recovery codes."""

import base64
import hashlib
import hmac
import logging
import re
import secrets
from typing import Any, Literal
from urllib.parse import quote

import pyotp
from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session as Work

from app import db, ids, logs, mail
from app.auth import credentials, guessing, sealing, sessions
from app.auth.model import RecoveryCode, Session, User, lock_user
from app.auth.sessions import LoggedIn
from app.errors import Problem
from app.locals import Viewer
from app.openapi import ABOUT
from app.validation import PLAIN, invalid

log = logging.getLogger(__name__)

PURPOSE = "totp-secret"
STEP_SECONDS = 30
RECOVERY_CODES = 10


def begin(viewer: Viewer, password: str) -> dict[str, str]:
    """Store a new secret, which counts for nothing until a code of it was sent."""
    _check(viewer, is_on=False)
    checked = credentials.confirm(viewer.email, password)
    secret = pyotp.random_base32()
    with db.writing() as work:
        user = credentials.hold(work, checked)
        if user.totp_confirmed_at:
            raise Problem("conflict")
        user.totp_secret = sealing.seal(base64.b32decode(secret), PURPOSE, user.id)
        user.totp_last_step = None
    return {"secret": secret, "uri": _uri(viewer.email, secret)}


def _uri(email: str, secret: str) -> str:
    app, account = quote(ABOUT["name"], safe=PLAIN), quote(email, safe=PLAIN)
    rest = f"secret={secret}&issuer={app}&algorithm=SHA1&digits=6&period={STEP_SECONDS}"
    return f"otpauth://totp/{app}:{account}?{rest}"


def confirm(viewer: Viewer, code: str) -> tuple[LoggedIn, list[str]]:
    """Switch the second factor on; return a new session and the recovery codes."""
    user = _check(viewer, is_on=False)
    if user.totp_secret is None:
        raise Problem("conflict")
    guessing.attempt(user.email_normalized)
    with db.writing() as work:
        held = lock_user(work, User.id == viewer.user_id)
        if held is None or held.totp_secret is None or held.totp_confirmed_at:
            raise Problem("conflict")
        # What ended the sessions in the meantime, like a new password, ends this as well.
        if work.get(Session, viewer.session_id) is None:
            raise Problem("unauthenticated")
        if not _accept_step(work, held, code):
            raise invalid("#/code", "is wrong")
        held.totp_confirmed_at = held.updated_at = ids.now()
        codes = _make_recovery_codes(work, held)
        done = sessions.renew(work, held)
    guessing.succeed(held.email_normalized)
    mail.post(held.email, "totp-on")
    logs.event("totp.enabled", subject=held.id)
    return done, codes


def end(viewer: Viewer, password: str) -> LoggedIn:
    """Switch the second factor off for who knows the password."""
    _check(viewer, is_on=True)
    checked = credentials.confirm(viewer.email, password)
    with db.writing() as work:
        user = credentials.hold(work, checked)
        if user.totp_confirmed_at is None:
            raise Problem("conflict")
        credentials.remove_second_factor(work, user)
        user.updated_at = ids.now()
        done = sessions.renew(work, user)
    mail.post(user.email, "totp-off")
    logs.event("totp.disabled", subject=user.id)
    return done


def accept(work: Work, user: User, code: str) -> Literal["totp", "recovery-code"] | None:
    """Use a code up, whichever kind it is; None when it is wrong."""
    if re.fullmatch("[0-9]{6}", code):
        return "totp" if _accept_step(work, user, code) else None
    return "recovery-code" if _use_recovery_code(work, user.id, code) else None


def _check(viewer: Viewer, *, is_on: bool) -> User:
    """Refuse when the second factor is not in the state that the request is about."""
    with db.reading() as work:
        user = work.get(User, viewer.user_id)
    if user is None or (user.totp_confirmed_at is not None) != is_on:
        raise Problem("conflict")
    return user


def _accept_step(work: Work, user: User, code: str) -> bool:
    """Take the code of a step that comes after the last one taken."""
    unsealed = sealing.unseal(user.totp_secret or "", PURPOSE, user.id)
    if unsealed is None:
        log.error("a second factor cannot be read: its key is not among SECRET_KEYS")
        return False
    step = _find_step(unsealed.plain, code)
    if step is None:
        return False
    values: dict[str, Any] = {"totp_last_step": step}
    if unsealed.is_outdated:
        # So that the old key can be dropped some day.
        values["totp_secret"] = sealing.seal(unsealed.plain, PURPOSE, user.id)
    is_new = or_(User.totp_last_step.is_(None), User.totp_last_step < step)
    taken = update(User).where(User.id == user.id, is_new).values(values)
    return db.has_changed(work.execute(taken, execution_options={"synchronize_session": False}))


def _find_step(secret: bytes, code: str) -> int | None:
    """Say to which step the code belongs: this one, the one before or the one after."""
    codes = pyotp.HOTP(base64.b32encode(secret).decode())
    now = int(ids.now().timestamp()) // STEP_SECONDS
    steps = [s for s in (now - 1, now, now + 1) if hmac.compare_digest(codes.at(s), code)]
    return max(steps, default=None)


def _make_recovery_codes(work: Work, user: User) -> list[str]:
    """Store new codes in place of the old ones; 120 bits each, so a plain hash is enough."""
    work.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    made = [
        base64.b32encode(secrets.token_bytes(15)).decode().lower() for _ in range(RECOVERY_CODES)
    ]
    moment = ids.now()
    work.add_all(
        RecoveryCode(id=ids.new_id(), user_id=user.id, code_hash=_hash(code), created_at=moment)
        for code in made
    )
    return ["-".join(re.findall(".{6}", code)) for code in made]


def _use_recovery_code(work: Work, user_id: str, code: str) -> bool:
    plain = re.sub(r"[-\s]", "", code).lower()
    used = update(RecoveryCode).where(
        RecoveryCode.user_id == user_id,
        RecoveryCode.code_hash == _hash(plain),
        RecoveryCode.used_at.is_(None),
    )
    return db.has_changed(work.execute(used.values(used_at=ids.now())))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
