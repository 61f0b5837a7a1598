"""Requests nobody would think of: made from the OpenAPI document and the contract's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from words import HEADERS, NUMBERS, ODD_KEYS, ODD_VALUES, PASSWORDS, RAW, SOME, SPECIAL, TEXTS, Ref

import scaffold

DOCUMENT = yaml.safe_load(
    (Path(scaffold.__file__).parent / "contract" / "openapi.yaml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Step:
    """One request, the same for every app once its references are filled in."""

    who: Ref
    method: str
    path: tuple[str | Ref, ...]
    name: str = ""
    query: tuple[tuple[str, Any], ...] = ()
    headers: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    raw: bytes | None = None


WHO = st.one_of(
    st.builds(Ref, st.just("token"), NUMBERS),
    st.builds(Ref, st.just("token"), NUMBERS),
    st.builds(Ref, st.sampled_from(("cookie", "cookie of ours")), NUMBERS),
    st.builds(Ref, st.sampled_from(("nobody", "other", "admin", "garbage"))),
)
# What would end the accounts that all sequences share.
KEPT = {"other": {"logout", "deleteMe"}, "admin": {"logout", "deleteMe"}}


def texts(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", 60)
    edge = [text for text in ("x" * low, "🜁" * high) if text and len(text) < 11_000]
    fitting = [text for text in TEXTS if low <= len(text) <= high]
    return st.sampled_from(fitting + edge) if fitting + edge else st.just("x" * 43)


def values(name: str, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Mostly good values for a member."""
    if name in SPECIAL:
        return SPECIAL[name]
    if "anyOf" in schema:
        return st.one_of(*(values(name, one) for one in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return st.lists(values("", schema["items"]), max_size=3)
    simple = {"boolean": st.booleans(), "null": st.none(), "string": texts(schema)}
    return simple.get(kind, st.integers(-1, 101))


@st.composite
def bodies(draw: st.DrawFn, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A body as documented, now and then with a fault or two."""
    found = {
        name: draw(values(name, one))
        for name, one in schema["properties"].items()
        if name in schema.get("required", ()) or draw(st.booleans())
    }
    if draw(st.integers(0, 3)) == 0:
        found |= {draw(st.sampled_from([*found, *ODD_KEYS])): draw(st.sampled_from(ODD_VALUES))}
    if found and draw(st.integers(0, 5)) == 0:
        found.pop(draw(st.sampled_from(list(found))))
    return found


def ids(path: str) -> st.SearchStrategy[str | Ref]:
    kind = path.split("/")[3].removesuffix("s") if path.count("/") == 4 else "session"
    odd = (SOME, "x", "%00", "%2e%2e", "me", f"{SOME}%20")
    own = st.builds(Ref, st.sampled_from((kind, kind, kind, f"other {kind}")), NUMBERS)
    return st.one_of(own, own, own, st.sampled_from(odd))


def queries(parameters: list[Any]) -> st.SearchStrategy[Any]:
    known: list[Any] = [
        st.tuples(st.just(one["name"]), values(one["name"], one["schema"]))
        for one in parameters
        if one["in"] == "query"
    ]
    if not known:
        return st.just(())
    cursor = st.tuples(st.just("cursor"), st.just(Ref("cursor")))
    odd = st.tuples(
        st.sampled_from(("limit", "q", "tag", "cursor", "page")), st.sampled_from(TEXTS)
    )
    return st.lists(st.one_of(*known, *known, cursor, odd), max_size=3).map(tuple)


@st.composite
def operations(draw: st.DrawFn, path: str, method: str, operation: Mapping[str, Any]) -> Step:
    """A request to a documented operation, rarely with something wrong about it."""
    name = operation["operationId"]
    who = draw(WHO.filter(lambda who: name not in KEPT.get(who.kind, ())))
    headers: dict[str, Any] = {}
    if method == "patch" and "notes" in path:
        headers["If-Match"] = draw(st.sampled_from((Ref("etag"), Ref("etag"), "*")))
    if draw(st.integers(0, 2)) == 0:
        field_name = draw(st.sampled_from(list(HEADERS)))
        headers[field_name] = draw(st.sampled_from(HEADERS[field_name]))
    body, raw = None, None
    if "requestBody" in operation:
        (content,) = (operation["requestBody"]["content"].get(k) for k in ("application/json",))
        schema = DOCUMENT["components"]["schemas"][content["schema"]["$ref"].split("/")[-1]]
        body = draw(bodies(schema))
        raw = draw(st.sampled_from(RAW)) if draw(st.integers(0, 12)) == 0 else None
    before, _, after = path.partition("{id}")
    parts = (before, draw(ids(path)), after) if before != path else (path,)
    sent = method.upper() if method != "get" else draw(st.sampled_from(("GET", "GET", "HEAD")))
    query = draw(queries(operation.get("parameters", [])))
    return Step(who, sent, parts, name, query, headers, body, raw)


@st.composite
def strays(draw: st.DrawFn) -> Step:
    """A request to where nothing is, or in a way nothing answers."""
    api = tuple(path for path in DOCUMENT["paths"] if path.startswith("/api"))
    odd = ("/", "//", "/api/v1/notes/", "/%00", "/%zz", "/%ff", "/..%2f", "/API/V1/NOTES", "/docs/")
    pages = ("/docs", "/problems/validation", "/problems/x", "/openapi.json", "/healthz")
    path = draw(st.sampled_from((*api, *odd, *pages)))
    # No made-up methods: Node's parser refuses them before the app is asked.
    method = draw(st.sampled_from(("GET", "PUT", "OPTIONS", "TRACE", "POST", "DELETE", "PROPFIND")))
    field_name = draw(st.sampled_from(list(HEADERS)))
    headers = {field_name: draw(st.sampled_from(HEADERS[field_name]))}
    return Step(draw(WHO), method, (path,), headers=headers)


OPERATIONS = {
    operation["operationId"]: (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if path.startswith("/api/")
}
# What most sequences should do some of, or there is nothing to see.
FREQUENT = ("createNote", "updateNote", "readNote", "listNotes", "login", "listSessions")
EACH = {name: operations(*found) for name, found in OPERATIONS.items()}
STEPS = st.one_of(
    st.sampled_from([*EACH, *FREQUENT, *FREQUENT]).flatmap(EACH.__getitem__),
    st.sampled_from(list(EACH)).flatmap(EACH.__getitem__),
    st.sampled_from(list(EACH)).flatmap(EACH.__getitem__),
    strays(),
)


def to(name: str, body: Any = None, who: str = "token", **headers: Any) -> Step:
    path, method, _ = OPERATIONS[name]
    before, _, after = path.partition("{id}")
    parts = (before, Ref("note"), after) if "{id}" in path else (path,)
    return Step(Ref(who), method.upper(), parts, name, headers=headers, json=body)


def entering(code: str, **more: Any) -> Step:
    login = {"email": Ref("email"), "password": Ref("password"), "code": Ref(code), **more}
    return to("login", login, "nobody")


OWN = {"password": Ref("password")}
# What chance alone would hardly do in the right order.
SCENES: tuple[tuple[Step, ...], ...] = (
    (to("beginTotp", OWN), to("confirmTotp", {"code": Ref("code", 1)}), entering("code")),
    (entering("recovery"), entering("recovery"), entering("old code"), to("endTotp", OWN)),
    (
        to("forgotPassword", {"email": Ref("email")}),
        to("resetPassword", {"token": Ref("reset-password"), "password": PASSWORDS[1]}),
        to("resetPassword", {"token": Ref("reset-password"), "password": PASSWORDS[2]}),
        entering("code", transport="cookie"),
    ),
    (to("verifyEmail", {"token": Ref("verify-email")}, "nobody"), to("readMe")),
    (
        to("changePassword", {"current_password": Ref("password"), "password": PASSWORDS[2]}),
        to("listSessions"),
    ),
    (
        to("createNote", {"title": TEXTS[1], "body": TEXTS[3], "tags": list(TEXTS)}),
        to("readNote", **{"If-None-Match": Ref("etag")}),
        to("updateNote", {"title": TEXTS[2], "body": None}, **{"If-Match": Ref("etag")}),
        to("updateNote", {"tags": None}, **{"If-Match": '"1"'}),
        to("listNotes"),
    ),
)
SEQUENCES = st.lists(
    st.one_of(
        STEPS.map(lambda step: (step,)), STEPS.map(lambda step: (step,)), st.sampled_from(SCENES)
    ),
    min_size=3,
    max_size=10,
).map(lambda parts: [step for part in parts for step in part])
