"""The rules about people."""

from typing import Any

from sqlalchemy import delete, func, or_, select, update

from app import cursors, db, ids, logs
from app.auth import credentials, sessions
from app.auth.model import User, lock_user
from app.cursors import PageQuery
from app.errors import Problem
from app.users.schema import AdminUserUpdate, show


def find(user_id: str) -> dict[str, Any]:
    with db.reading() as work:
        user = work.get(User, user_id)
    if user is None:
        raise Problem("not-found")
    return show(user)


def rename(user_id: str, name: str) -> dict[str, Any]:
    with db.writing() as work:
        work.execute(update(User).where(User.id == user_id).values(name=name, updated_at=ids.now()))
    return find(user_id)


def delete_me(user_id: str, email: str, password: str) -> None:
    """Delete the account; sessions and notes go with it."""
    credentials.confirm(email, password)
    with db.writing() as work:
        work.execute(delete(User).where(User.id == user_id))
    logs.event("user.deleted", subject=user_id)


def listed(query: PageQuery, viewer_id: str) -> list[dict[str, Any]]:
    """Return one more user than asked when there are more, newest first."""
    found = select(User).order_by(User.id.desc()).limit(query.limit + 1)
    after = cursors.read(query.cursor, viewer_id)
    if after:
        found = found.where(User.id < after)
    if query.q:
        pattern = func.lower(cursors.like(query.q))
        found = found.where(
            or_(
                User.email_normalized.like(pattern, escape="!"),
                func.lower(User.name).like(pattern, escape="!"),
            )
        )
    with db.reading() as work:
        return [show(user) for user in work.scalars(found)]


def change(user_id: str, wanted: AdminUserUpdate, admin_id: str) -> dict[str, Any]:
    """Change role or access of somebody; nobody takes away his own."""
    given = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    with db.writing() as work:
        user = lock_user(work, User.id == user_id)
        if user is None:
            raise Problem("not-found")
        before = {name: getattr(user, name) for name in given}
        changed = {name: value for name, value in given.items() if value != before[name]}
        if user_id == admin_id and changed:
            raise Problem("conflict")
        if changed:
            for name, value in changed.items():
                setattr(user, name, value)
            user.updated_at = ids.now()
        if changed.get("disabled"):
            sessions.end_all(work, user_id)
    _tell(changed, user_id)
    return show(user)


def _tell(changed: dict[str, Any], user_id: str) -> None:
    if "role" in changed:
        logs.event("role.changed", subject=user_id, role=changed["role"])
    if "disabled" in changed:
        logs.event("user.disabled" if changed["disabled"] else "user.enabled", subject=user_id)
