"""The route layer: what a request must be, and the OpenAPI document that says so."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

import orjson
from flask import Flask, Response, current_app, request
from pydantic import BaseModel, ConfigDict, Field

from app import bodies, ids, security, validation
from app.errors import Problem
from app.locals import Viewer, current_viewer, has_cookie

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
ACCEPTED = {"*/*", "application/*", JSON, "application/problem+json"}
# The default of a field that may be left out; what was sent is in `model_fields_set`.
UNSET: Any = None

Ok = Literal["ok"]
Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Handler = TypeVar("Handler", bound=Callable[..., "Answer"])


class Shape(BaseModel):
    """The shape of a body: strict, and closed to members it does not name."""

    model_config = ConfigDict(extra="forbid", strict=True)


@dataclass(slots=True)
class Answer:
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler may know of the request besides its body and query."""

    app: Flask
    route: "Route"
    user: Viewer | None

    @property
    def viewer(self) -> Viewer:
        if self.user is None:
            raise Problem("unauthenticated")
        return self.user

    def header(self, name: str) -> str | None:
        values = request.headers.getlist(name)
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: everything that is checked and documented about it."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    handler: Callable[..., Answer]
    status: int = 200
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    media: tuple[str, ...] = (JSON,)
    query: type[BaseModel] | None = None
    access: Literal["public", "user", "admin", "probe"] = "user"
    # Which precondition header is read.
    etag: Literal["If-Match", "If-None-Match"] | None = None
    has_location: bool = False
    problems: tuple[int, ...] = ()


class Routes:
    """The operations of one part."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.all: list[Route] = []

    def add(
        self, method: str, path: str, name: str, summary: str, **about: Any
    ) -> Callable[[Handler], Handler]:
        """Declare an operation; `about` are the fields of `Route`."""

        def declare(handler: Handler) -> Handler:
            self.all.append(Route(method, path, name, self.tag, summary, handler, **about))
            return handler

        return declare

    def init_app(self, app: Flask) -> None:
        app.extensions.setdefault("routes", []).extend(self.all)
        for route in self.all:
            rule = route.path.replace("{id}", "<id>")
            app.add_url_rule(rule, route.id, _view(route), methods=[route.method])


def init_app(app: Flask) -> None:
    @cache
    def template(rule: str) -> str:
        return rule.replace("<", "{").replace(">", "}")

    @app.before_request
    def _name_route() -> None:
        rule = request.url_rule
        if rule:
            request.environ["app.route"] = template(rule.rule)


def _view(route: Route) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        call = Call(current_app, route, _admit(route))
        arguments: list[Any] = []
        if route.body:
            bodies.check(route.media)
        if route.access != "probe":
            _check_accept()
        if path:
            arguments.append(ids.parse_id(path["id"]))
        if route.body:
            arguments.append(validation.body(route.body, bodies.read()))
        if route.query:
            arguments.append(validation.query(route.query, request.environ["QUERY_STRING"]))
        if path and arguments[0] is None:
            raise Problem("not-found")
        return respond(route.handler(call, *arguments), route)

    return view


def _admit(route: Route) -> Viewer | None:
    """Let in who may use the route, in the order the contract names."""
    if route.access in {"public", "probe"}:
        return None
    viewer = current_viewer()
    if viewer is None:
        scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
        is_refused = scheme == "bearer" or has_cookie()
        challenge = 'Bearer error="invalid_token"' if is_refused else "Bearer"
        raise Problem("unauthenticated", headers={"WWW-Authenticate": challenge})
    if viewer.by_cookie and request.method not in security.SAFE_METHODS:
        security.check_origin()
    if route.access == "admin" and viewer.role != "admin":
        raise Problem("forbidden")
    return viewer


def _check_accept() -> None:
    accept = request.headers.get("Accept")
    if not accept or accept in ACCEPTED:
        return
    for item in accept.split(","):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        refused = any(
            p.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for p in parameters
        )
        if media in ACCEPTED and not refused:
            return
    raise Problem("not-acceptable")


def respond(answer: Answer, route: Route) -> Response:
    status = answer.status or route.status
    if answer.body is None or status in {204, 304}:
        response = Response(status=status)
        del response.headers["Content-Type"]
    else:
        response = Response(orjson.dumps(answer.body), status, content_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response
