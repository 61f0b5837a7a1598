"""HTTP for accounts and sessions."""

from typing import Any

from app.api import Answer, Call, Routes
from app.auth import credentials, service, sessions, totp
from app.auth.schema import (
    Accepted,
    EmailAddress,
    Login,
    LoginResult,
    PasswordChange,
    PasswordReset,
    Register,
    SessionList,
    TotpConfirm,
    TotpConfirmed,
    TotpSetup,
    VerifyEmail,
)
from app.auth.sessions import LoggedIn
from app.ids import format_time
from app.users.schema import PasswordConfirmation

routes = Routes("auth")
BASE = "/api/v1/auth"
ACCEPTED = Answer({"status": "accepted"})


@routes.add(
    "POST",
    f"{BASE}/register",
    "register",
    "Register an account",
    access="public",
    body=Register,
    status=202,
    answer=Accepted,
    problems=(503,),
)
def register(_call: Call, wanted: Register) -> Answer:
    service.register(wanted)
    return ACCEPTED


@routes.add(
    "POST",
    f"{BASE}/login",
    "login",
    "Log in",
    access="public",
    body=Login,
    answer=LoginResult,
    problems=(401, 403, 503),
)
def login(_call: Call, wanted: Login) -> Answer:
    return _logged_in(service.login(wanted), by_cookie=wanted.transport == "cookie")


def _logged_in(done: LoggedIn, *, by_cookie: bool, **more: Any) -> Answer:
    """Hand the token over in the way the client keeps it."""
    result = {**more, "expires_at": format_time(done.expires_at), "user": done.user}
    if not by_cookie:
        return Answer({"token": done.token, **result})
    return Answer(result, sessions.give_cookie(done.token))


@routes.add(
    "POST",
    f"{BASE}/verify-email",
    "verifyEmail",
    "Confirm my address",
    access="public",
    body=VerifyEmail,
    status=204,
    problems=(503,),
)
def verify_email(_call: Call, wanted: VerifyEmail) -> Answer:
    credentials.verify(wanted.token)
    return Answer()


@routes.add(
    "POST",
    f"{BASE}/verify-email/resend",
    "resendVerification",
    "Send the confirmation again",
    access="public",
    body=EmailAddress,
    status=202,
    answer=Accepted,
    problems=(503,),
)
def resend_verification(_call: Call, wanted: EmailAddress) -> Answer:
    credentials.resend(wanted.email)
    return ACCEPTED


@routes.add(
    "POST",
    f"{BASE}/password/forgot",
    "forgotPassword",
    "Ask for a password reset",
    access="public",
    body=EmailAddress,
    status=202,
    answer=Accepted,
    problems=(503,),
)
def forgot_password(_call: Call, wanted: EmailAddress) -> Answer:
    credentials.forgot(wanted.email)
    return ACCEPTED


@routes.add(
    "POST",
    f"{BASE}/password/reset",
    "resetPassword",
    "Set a new password with a token",
    access="public",
    body=PasswordReset,
    status=204,
    problems=(503,),
)
def reset_password(_call: Call, wanted: PasswordReset) -> Answer:
    credentials.reset(wanted)
    return Answer()


@routes.add(
    "POST",
    f"{BASE}/password/change",
    "changePassword",
    "Change my password",
    body=PasswordChange,
    answer=LoginResult,
)
def change_password(call: Call, wanted: PasswordChange) -> Answer:
    done = credentials.change(call.viewer, wanted)
    return _logged_in(done, by_cookie=call.viewer.by_cookie)


@routes.add(
    "POST",
    f"{BASE}/totp",
    "beginTotp",
    "Begin a second factor",
    body=PasswordConfirmation,
    answer=TotpSetup,
    problems=(409,),
)
def begin_totp(call: Call, wanted: PasswordConfirmation) -> Answer:
    return Answer(totp.begin(call.viewer, wanted.password))


@routes.add(
    "POST",
    f"{BASE}/totp/confirm",
    "confirmTotp",
    "Switch the second factor on",
    body=TotpConfirm,
    answer=TotpConfirmed,
    problems=(409,),
)
def confirm_totp(call: Call, wanted: TotpConfirm) -> Answer:
    done, codes = totp.confirm(call.viewer, wanted.code)
    return _logged_in(done, by_cookie=call.viewer.by_cookie, recovery_codes=codes)


@routes.add(
    "DELETE",
    f"{BASE}/totp",
    "endTotp",
    "Switch the second factor off",
    body=PasswordConfirmation,
    answer=LoginResult,
    problems=(409,),
)
def end_totp(call: Call, wanted: PasswordConfirmation) -> Answer:
    done = totp.end(call.viewer, wanted.password)
    return _logged_in(done, by_cookie=call.viewer.by_cookie)


@routes.add("POST", f"{BASE}/logout", "logout", "End this session", status=204)
def logout(call: Call) -> Answer:
    service.logout(call.viewer.user_id, call.viewer.session_id)
    return Answer(headers=sessions.take_cookie(call.viewer))


@routes.add("GET", f"{BASE}/sessions", "listSessions", "List my sessions", answer=SessionList)
def list_sessions(call: Call) -> Answer:
    items = service.list_sessions(call.viewer.user_id, call.viewer.session_id)
    return Answer({"items": items})


@routes.add("DELETE", f"{BASE}/sessions", "endOtherSessions", "End all other sessions", status=204)
def end_other_sessions(call: Call) -> Answer:
    service.end_other_sessions(call.viewer.user_id, call.viewer.session_id)
    return Answer()


@routes.add("DELETE", BASE + "/sessions/{id}", "endSession", "End one session", status=204)
def end_session(call: Call, session_id: str) -> Answer:
    service.end_session(call.viewer.user_id, session_id)
    return Answer()
