"""The shapes of user requests and answers."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from app import api
from app.api import UNSET, Moment, Uuid
from app.ids import format_time

EMAIL = (
    r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$"
)
Email = Annotated[str, Field(max_length=254, pattern=EMAIL)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Role = Literal["user", "admin"]
AnyPassword = Annotated[str, Field(min_length=1, max_length=1024)]


class User(api.Shape):
    id: Uuid
    email: Email
    name: Name
    role: Role
    email_verified: bool
    totp_enabled: bool
    disabled: bool
    created_at: Moment
    updated_at: Moment


class UserList(api.Shape):
    items: Sequence[User]
    next: str | None


class UserUpdate(api.Shape):
    name: Name = UNSET


class AdminUserUpdate(api.Shape):
    role: Role = UNSET
    disabled: bool = UNSET


class PasswordConfirmation(api.Shape):
    password: AnyPassword


def show(user: Any) -> dict[str, Any]:
    """Write a user, or a row with the same columns, as the API shows it."""
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "email_verified": user.email_verified_at is not None,
        "totp_enabled": user.totp_confirmed_at is not None,
        "disabled": user.disabled,
        "created_at": format_time(user.created_at),
        "updated_at": format_time(user.updated_at),
    }
