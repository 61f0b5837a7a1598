"""The shapes of account requests and answers."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from app import api
from app.api import UNSET, Moment, Uuid
from app.users.schema import AnyPassword, Email, Name, User


class Accepted(api.Shape):
    status: Literal["accepted"]


class Register(api.Shape):
    email: Email
    password: Annotated[str, Field(min_length=12, max_length=128)]
    name: Name


class Login(api.Shape):
    email: Annotated[str, Field(min_length=1, max_length=254)]
    password: AnyPassword
    # Accepted from every client; read once an account has a second factor.
    code: Annotated[str, Field(min_length=1, max_length=20)] = UNSET
    transport: Literal["bearer", "cookie"] = "bearer"


class LoginResult(api.Shape):
    token: str = UNSET
    expires_at: Moment
    user: User


class Session(api.Shape):
    id: Uuid
    user_agent: str | None
    client_address: str | None
    created_at: Moment
    last_seen_at: Moment
    expires_at: Moment
    current: bool


class SessionList(api.Shape):
    items: Sequence[Session]
