"""The shapes of account requests and answers."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from app import api
from app.api import UNSET, Moment, Uuid
from app.users.schema import AnyPassword, Email, Name, User

NewPassword = Annotated[str, Field(min_length=12, max_length=128)]
OneTimeToken = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{43}$")]


class Accepted(api.Shape):
    status: Literal["accepted"]


class Register(api.Shape):
    email: Email
    password: NewPassword
    name: Name


class Login(api.Shape):
    email: Annotated[str, Field(min_length=1, max_length=254)]
    password: AnyPassword
    # Of the second factor, or a recovery code; without a second factor it is not read.
    code: Annotated[str, Field(min_length=1, max_length=40)] = UNSET
    transport: Literal["bearer", "cookie"] = "bearer"


class LoginResult(api.Shape):
    token: str = UNSET
    expires_at: Moment
    user: User


class EmailAddress(api.Shape):
    email: Email


class VerifyEmail(api.Shape):
    token: OneTimeToken


class PasswordReset(api.Shape):
    token: OneTimeToken
    password: NewPassword


class PasswordChange(api.Shape):
    current_password: AnyPassword
    password: NewPassword


class TotpSetup(api.Shape):
    secret: str
    uri: str


class TotpConfirm(api.Shape):
    code: Annotated[str, Field(pattern="^[0-9]{6}$")]


class TotpConfirmed(api.Shape):
    recovery_codes: Sequence[str]
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
