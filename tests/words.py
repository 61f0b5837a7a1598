"""The words made-up requests are made of: good ones, odd ones, and what only an app can name."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from scaffold.contract.target import CORS_ORIGIN

SOME = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Ref:
    """Something only an app itself can name: the id of a note, a token, a code."""

    kind: str
    number: int = 0


NUMBERS = st.integers(0, 3)
PASSWORDS = (
    "correct horse battery 1",
    "another good one, 2",
    "ёлки палки лес 3",
    "\uff50\uff41\uff53\uff53 wide letters",
    "password1234",
    "short",
    "Ada Lovelace was here",
    "x" * 128,
    "x" * 129,
    "a\u0301" * 8,
)
TEXTS = ("a", "Zoë 🜁", "100%_\\", "'; DROP TABLE notes; --", "<b>&amp;", " both ", "e\u0301", "İ")
ODD_TEXTS = ("", "\0", "a\ud800", "\udfff\ud83d", "\u202e", "\ufeff", "x" * 101, "🜁" * 201)
ODD_VALUES = (None, True, 0, -1, 1.5, 10**30, [], ["x"], {}, {"a": 1}, *ODD_TEXTS)
ODD_KEYS = ("role", "id", "__proto__", "constructor", "a/b~c", "ü", "", "disabled", "x" * 300)
RAW = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b'{"title": NaN}',
    b'{"title": 1e400}',
    b'{"title": "a", "title": "b"}',
    b'{"title": "\xff"}',
    b"\xef\xbb\xbf{}",
    '{"title": "x"}'.encode("utf-16"),
    b'{"title": ' + b"[" * 33 + b"]" * 33 + b"}",
    b'{"title": ' + b"[" * 31 + b"]" * 31 + b"}",
    b'{"title": "a\nb"}',
    b'{"title":"x"}\0',
    b' {"title" : "x"}\n',
    b'{"title": "x", "tags": ["a", "a"], "body": -0}',
)
EMAILS = st.one_of(
    st.builds(Ref, st.sampled_from(("email", "EMAIL", "other email"))),
    st.sampled_from(("nobody@example.com", "plain", "a@b", "ä@example.com", "x@example.com\n")),
)
CODES = st.one_of(
    st.builds(Ref, st.sampled_from(("code", "old code", "recovery")), NUMBERS),
    st.sampled_from(("000000", "12345", "١٢٣٤٥٦", "x" * 41, "aaaaaa-bbbbbb-cccccc-dddddd")),
)
SPECIAL = {
    "email": EMAILS,
    "password": st.one_of(st.just(Ref("password")), st.sampled_from(PASSWORDS)),
    "current_password": st.one_of(st.just(Ref("password")), st.sampled_from(PASSWORDS[:2])),
    "code": CODES,
    "token": st.one_of(
        st.builds(Ref, st.sampled_from(("verify-email", "reset-password")), NUMBERS),
        st.sampled_from(("x" * 43, "x")),
    ),
}
HEADERS = {
    "Accept": ("*/*", "text/html", "text/html, application/json;q=0.5", "application/*", ";q", ""),
    "Content-Type": (
        None,
        "",
        "text/plain",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
        "application/json, text/plain",
        "x/y;z",
    ),
    "If-Match": (Ref("etag"), '"1"', "*", 'W/"1"', '"x", "1"', "1", "", '"'),
    "If-None-Match": (Ref("etag"), '"1"', "*", 'W/"1"', "x", ',,"1"'),
    "Origin": (Ref("public"), CORS_ORIGIN, "https://evil.example", "null", ""),
    "Sec-Fetch-Site": ("same-origin", "none", "cross-site", "same-site", ""),
    "X-Request-Id": ("abcdefgh", "short", "x" * 65, "é" * 8),
    "Content-Encoding": ("gzip", "identity", ""),
    "Range": ("bytes=0-1",),
    "X-HTTP-Method-Override": ("DELETE",),
    "Authorization": ("Basic eDp5", "Bearer", "bearer x", "Bearer é", ""),
    "Cookie": ("session=", "session=x; session=y", "; =;"),
    "X-Forwarded-For": ("192.0.2.1", "'"),
    "X-Forwarded-Host": ("evil.example",),
    "traceparent": ("00-zz", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
}
