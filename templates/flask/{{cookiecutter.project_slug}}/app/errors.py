"""Every error leaves as problem details (RFC 9457)."""

import logging
import re
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app import db

log = logging.getLogger(__name__)

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    428: "Precondition Required",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
PROBLEMS = {
    "bad-request": (400, "The request could not be understood."),
    "malformed-json": (400, "The body is not valid JSON."),
    "unauthenticated": (401, "Log in and send the session token."),
    "invalid-credentials": (401, "The e-mail address, the password or the code is wrong."),
    "second-factor-required": (401, "Send the code of the second factor as well."),
    "forbidden": (403, "You may not do this."),
    "csrf": (403, "The request did not come from this site."),
    "email-not-verified": (403, "Confirm your e-mail address first."),
    "not-found": (404, "There is nothing here."),
    "method-not-allowed": (405, "This method is not allowed here."),
    "not-acceptable": (406, "Only application/json is available."),
    "conflict": (409, "The request conflicts with the current state."),
    "precondition-failed": (412, "The resource has changed since it was read."),
    "content-too-large": (413, "The body is larger than 1 MiB."),
    "unsupported-media-type": (415, "Send the body as application/json."),
    "validation": (422, "The request did not pass validation."),
    "precondition-required": (428, "Send If-Match with the ETag you read."),
    "rate-limited": (429, "Too many requests; wait and try again."),
    "too-many-attempts": (429, "Too many failed attempts; wait and try again."),
    "internal": (500, "Something went wrong on our side."),
    "unavailable": (503, "A part we need is away; try again soon."),
}
_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "content-too-large"}


class Problem(Exception):
    """What a service raises when it cannot do what it was asked."""

    def __init__(
        self,
        name: str,
        *,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        self.name = name
        self.status, usual = PROBLEMS[name]
        self.detail = detail or usual
        self.headers = dict(headers or {})
        self.members = members
        if self.status == 401:
            self.headers.setdefault("WWW-Authenticate", "Bearer")
        if self.status == 503:
            self.headers.setdefault("Retry-After", "5")
        super().__init__(name)


def instance(target: str) -> str:
    """Return the path as it was sent, without its query and fit to be shown."""
    path = re.sub(r"^[a-z]+://[^/?#]*", "", target, flags=re.IGNORECASE)
    path = re.split("[?#]", path, maxsplit=1)[0] or "/"
    return re.sub(r"[^\x21-\x7e]", lambda found: f"%{ord(found[0]) & 0xFF:02X}", path)


def body(problem: Problem, target: str, request_id: str) -> bytes:
    """Write the problem as JSON; `target` is what was asked for, as it was sent."""
    return orjson.dumps(
        {
            "type": f"/problems/{problem.name}",
            "title": TITLES[problem.status],
            "status": problem.status,
            "detail": problem.detail,
            "instance": instance(target),
            "request_id": request_id,
            **problem.members,
        }
    )


def answer(problem: Problem) -> Response:
    """Turn a problem into the answer to the current request."""
    target = request.environ.get("REQUEST_URI") or request.path
    response = Response(
        body(problem, target, request.environ["app.request_id"]),
        problem.status,
        content_type="application/problem+json",
    )
    response.headers["Cache-Control"] = "no-store"
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def empty(headers: Mapping[str, str]) -> Response:
    """Answer 204: no body, and so no type of one."""
    response = Response(status=204, headers=dict(headers))
    del response.headers["Content-Type"]
    return response


def init_app(app: Flask) -> None:
    @app.errorhandler(Exception)
    def _handle(error: Exception) -> Response:
        if isinstance(error, Problem):
            return answer(error)
        if isinstance(error, MethodNotAllowed) and request.method == "OPTIONS":
            return empty({"Allow": _allow(error)})
        if isinstance(error, HTTPException):
            return answer(_translate(error))
        if db.is_unavailable(error):
            db.tell(error)
            return answer(Problem("unavailable"))
        log.error("unexpected error", exc_info=error)
        return answer(Problem("internal"))


def _allow(error: MethodNotAllowed) -> str:
    return ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))


def _translate(error: HTTPException) -> Problem:
    """Say in our words what the framework found."""
    status = error.code or 500
    if isinstance(error, MethodNotAllowed):
        return Problem("method-not-allowed", headers={"Allow": _allow(error)})
    if 300 <= status < 400:
        return Problem("not-found")
    return Problem(_BY_STATUS.get(status, "bad-request" if status < 500 else "internal"))
