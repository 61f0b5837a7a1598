"""HTTP for accounts and sessions."""

from app import config
from app.api import Answer, Call, Routes
from app.auth import service
from app.auth.schema import Accepted, Login, LoginResult, Register, SessionList
from app.ids import format_time
from app.locals import cookie_name

routes = Routes("auth")
BASE = "/api/v1/auth"


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
    return Answer({"status": "accepted"})


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
    done = service.login(wanted)
    result = {"expires_at": format_time(done.session.expires_at), "user": done.user}
    if wanted.transport == "bearer":
        return Answer({"token": done.token, **result})
    days = config.current().session_max_days
    return Answer(result, {"Set-Cookie": _cookie(done.token, days * 86400)})


def _cookie(token: str, seconds: int) -> str:
    is_https = config.current().is_https
    name = cookie_name(is_https=is_https)
    secure = "; Secure" if is_https else ""
    return f"{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"


@routes.add("POST", f"{BASE}/logout", "logout", "End this session", status=204)
def logout(call: Call) -> Answer:
    service.logout(call.viewer.user_id, call.viewer.session_id)
    return Answer(headers={"Set-Cookie": _cookie("", 0)} if call.viewer.by_cookie else {})


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
