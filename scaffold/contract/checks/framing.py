"""Chapter 6: where a request ends is never in doubt: nothing can be smuggled."""

from __future__ import annotations

from functools import partial

from scaffold.contract.checks import alive, check, equal, true
from scaffold.contract.target import API, Target, together

SILENCE = 1.5
LOGIN = f"{API}/auth/login"
LENGTHS = (
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 6\r\nContent-Length: 5",
    "Content-Length: 5, 6",
    "Content-Length: +5",
    "Content-Length: 5_0",
    "Content-Length: 0x5",
    "Content-Length: 5 5",
    "Content-Length: -5",
    "Content-Length: 5.0",
    "Content-Length: \u0665",
    "Content-Length: 5;",
    "Content-Length : 5",
    "Content-Length: 18446744073709551621",
)
ENCODINGS = (
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity, chunked\r\nContent-Length: 5",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: x, chunked\r\nContent-Length: 5",
    "Transfer-Encoding : chunked\r\nContent-Length: 5",
    "Transfer-Encoding: \x0bchunked",
    'Transfer-Encoding: "chunked"',
    "Transfer-Encoding: chunked;x",
)
CHUNKS = (
    "0x5\r\nabcde\r\n0\r\n\r\n",
    "+5\r\nabcde\r\n0\r\n\r\n",
    "-5\r\nabcde\r\n0\r\n\r\n",
    "5_\r\nabcde\r\n0\r\n\r\n",
    "\u0665\r\nabcde\r\n0\r\n\r\n",
    "g\r\nabcde\r\n0\r\n\r\n",
    "\r\nabcde\r\n0\r\n\r\n",
    "5\r\nabcdeXX0\r\n\r\n",
    "5\r\nabcdef\r\n0\r\n\r\n",
    "10000000000000005\r\nabcde\r\n0\r\n\r\n",
    "5\rX\nabcde\r\n0\r\n\r\n",
)


def answered(app: Target, lines: str, body: str, version: str = "1.1") -> bytes:
    """What comes back for a doubtful request with another one right behind it."""
    inner = f"GET /healthz HTTP/1.1\r\nHost: {app.host}\r\n\r\n"
    head = f"POST {LOGIN} HTTP/{version}\r\nHost: {app.host}\r\nContent-Type: application/json\r\n"
    return app.anonymous.raw(f"{head}{lines}\r\n\r\n{body}{inner}".encode(), SILENCE)


def refused_once(app: Target, shapes: list[tuple[str, str]]) -> None:
    """None of the requests behind is answered, and no doubtful one is taken for good."""
    found = together([partial(answered, app, lines, body) for lines, body in shapes])
    for shape, answer in zip(shapes, found, strict=True):
        true(answer.count(b"HTTP/1.1 ") <= 1, f"{shape!r} got two answers: {answer!r}")
        true(b'{"status":"ok"}' not in answer, f"{shape!r} smuggled a request: {answer!r}")
        true(b" 2" not in answer[:12] and b" 5" not in answer[:12], f"{shape!r}: {answer[:80]!r}")
    alive(app)


@check(6, "A length that is in doubt is no length", "RFC 9112 6.3, ASVS 4.2.1")
def framing_lengths(app: Target) -> None:
    refused_once(app, [(lines, '"abc"') for lines in LENGTHS])


@check(6, "Two ways to end a body are none", "RFC 9112 6.1, ASVS 4.2.1")
def framing_encodings(app: Target) -> None:
    refused_once(app, [(lines, "0\r\n\r\n") for lines in ENCODINGS])


@check(6, "A chunk that is in doubt ends the connection", "RFC 9112 7.1, ASVS 4.2.1")
def framing_chunks(app: Target) -> None:
    refused_once(app, [("Transfer-Encoding: chunked", body) for body in CHUNKS])


@check(6, "HTTP/1.0 knows no chunks", "RFC 9112 6.1")
def framing_old(app: Target) -> None:
    answer = answered(app, "Transfer-Encoding: chunked", "0\r\n\r\n", "1.0")
    true(answer.count(b"HTTP/1.") <= 1, f"two answers: {answer!r}")
    alive(app)


@check(6, "A request within a body is not a request", "RFC 9112 6.3")
def framing_inner(app: Target) -> None:
    inner = f"GET /healthz HTTP/1.1\r\nHost: {app.host}\r\n\r\n"
    answer = answered(app, f"Content-Length: {2 * len(inner)}", inner)
    equal(answer.count(b"HTTP/1.1 "), 1, f"answers in {answer!r}")
    true(answer.startswith(b"HTTP/1.1 400"), answer[:80])
