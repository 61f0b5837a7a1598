"""The table of problems: name, status, title (RFC 9110), detail; None where it varies."""

from __future__ import annotations

PROBLEMS: dict[str, tuple[int, str, str | None]] = {
    "bad-request": (400, "Bad Request", "The request could not be understood."),
    "malformed-json": (400, "Bad Request", "The body is not valid JSON."),
    "unauthenticated": (401, "Unauthorized", "Log in and send the session token."),
    "invalid-credentials": (
        401,
        "Unauthorized",
        "The e-mail address, the password or the code is wrong.",
    ),
    "second-factor-required": (
        401,
        "Unauthorized",
        "Send the code of the second factor as well.",
    ),
    "email-not-verified": (403, "Forbidden", "Confirm your e-mail address first."),
    "csrf": (403, "Forbidden", "The request did not come from this site."),
    "forbidden": (403, "Forbidden", "You may not do this."),
    "not-found": (404, "Not Found", "There is nothing here."),
    "method-not-allowed": (405, "Method Not Allowed", "This method is not allowed here."),
    "not-acceptable": (406, "Not Acceptable", "Only application/json is available."),
    "conflict": (409, "Conflict", "The request conflicts with the current state."),
    "precondition-failed": (
        412,
        "Precondition Failed",
        "The resource has changed since it was read.",
    ),
    "content-too-large": (413, "Content Too Large", "The body is larger than 1 MiB."),
    "unsupported-media-type": (
        415,
        "Unsupported Media Type",
        "Send the body as application/json.",
    ),
    "validation": (422, "Unprocessable Content", "The request did not pass validation."),
    "precondition-required": (
        428,
        "Precondition Required",
        "Send If-Match with the ETag you read.",
    ),
    "rate-limited": (429, "Too Many Requests", "Too many requests; wait and try again."),
    "too-many-attempts": (
        429,
        "Too Many Requests",
        "Too many failed attempts; wait and try again.",
    ),
    "internal": (500, "Internal Server Error", "Something went wrong on our side."),
    # Says which part is away.
    "unavailable": (503, "Service Unavailable", None),
}
