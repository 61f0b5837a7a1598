"""What an app says of itself: the operations of its OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scaffold.contract.client import Answer, Client
from scaffold.contract.target import API, Person, Target

SOME = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    # The properties of the body; None when there is no body.
    body: dict[str, Any] | None
    media: str
    is_private: bool

    @property
    def is_unsafe(self) -> bool:
        return self.method not in {"GET", "HEAD", "OPTIONS"}

    def at(self, identity: str = SOME) -> str:
        return self.path.replace("{id}", identity)

    def send(self, client: Client, json: Any, identity: str = SOME, **headers: str) -> Answer:
        """Send a body, where there is one, past the precondition of an edit."""
        more = {"If-Match": "*", **headers}
        if self.body is None:
            return client.request(self.method, self.at(identity), headers=more)
        more |= {"Content-Type": self.media}
        return client.request(self.method, self.at(identity), json=json, headers=more)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


_known: dict[str, tuple[Operation, ...]] = {}


def operations(app: Target) -> tuple[Operation, ...]:
    """Every documented operation of the API; asked once."""
    if app.base not in _known:
        _known[app.base] = _asked(app)
    return _known[app.base]


def _asked(app: Target) -> tuple[Operation, ...]:
    document = app.anonymous.get("/openapi.json").expect(200).json()
    return tuple(
        Operation(method.upper(), path, *_body(document, about), bool(about.get("security")))
        for path, methods in document["paths"].items()
        for method, about in methods.items()
        if path.startswith(API) and method != "parameters"
    )


def _body(document: dict[str, Any], about: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    content = about.get("requestBody", {}).get("content", {})
    if not content:
        return None, ""
    media = "application/json" if "application/json" in content else next(iter(content))
    schema = content[media]["schema"]
    name = schema.get("$ref", "").rpartition("/")[2]
    schema = document["components"]["schemas"].get(name, schema)
    return dict(schema.get("properties", {})), media


def owned(app: Target, person: Person) -> dict[str, str]:
    """An id of the person's own for each path that wants one."""
    (session, *_) = person.client.get(f"{API}/auth/sessions").expect(200).json()["items"]
    return {
        f"{API}/notes/{{id}}": app.note(person)["id"],
        f"{API}/auth/sessions/{{id}}": session["id"],
        f"{API}/users/{{id}}": person.id,
    }


def is_text(schema: dict[str, Any]) -> bool:
    """Whether a property takes text and nothing else."""
    return schema.get("type") == "string"
