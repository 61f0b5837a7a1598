"""The OpenAPI document, from the routes and the schemas that validate."""

import json
from pathlib import Path
from typing import Any

from flask import Flask
from pydantic import BaseModel, ConfigDict

from app import api
from app.api import UNSET, Route
from app.errors import TITLES

ABOUT: dict[str, str] = json.loads(
    (Path(__file__).parent / "data" / "about.json").read_text("utf-8")
)
# Answers a route gives besides its problems.
SUCCESSES = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content"}
PROBLEM_STATUSES = [status for status in TITLES if status != 405]


class FieldError(api.Shape):
    pointer: str
    detail: str


class Problem(api.Shape):
    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] = UNSET


def document(app: Flask) -> dict[str, Any]:
    """Return the document of everything the app answers under its contract."""
    routes: list[Route] = app.extensions["routes"]
    schemas: dict[str, Any] = {}
    for model in _models(routes):
        schemas |= _schemas(model)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": ABOUT["name"], "version": ABOUT["version"]},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {_name(status): _problem(status) for status in PROBLEM_STATUSES},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
            },
        },
    }


def _models(routes: list[Route]) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = [Problem]
    for route in routes:
        found += [model for model in (route.answer, route.body) if model]
    return found


def _name(status: int) -> str:
    return TITLES[status].replace(" ", "")


def _problem(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _reference(Problem)}}
    return {"description": TITLES[status], "content": content}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    schema = _clean(model.model_json_schema(ref_template="#/components/schemas/{model}"))
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _clean(schema: Any, *, is_table: bool = False) -> Any:
    """Leave out what pydantic adds of its own: titles, docstrings and absent defaults."""
    if isinstance(schema, list):
        return [_clean(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _clean(value, is_table=key in {"properties", "$defs"} and not is_table)
        for key, value in schema.items()
        if is_table or not (key in {"title", "description"} or (key == "default" and value is None))
    }


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": route.id,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": _responses(route),
        "security": [{"bearer": []}, {"cookie": []}] if _wants_user(route) else [],
    }
    if route.body:
        content = {media: {"schema": _reference(route.body)} for media in route.media}
        found["requestBody"] = {"required": True, "content": content}
    if not found["parameters"]:
        del found["parameters"]
    return found


def _wants_user(route: Route) -> bool:
    return route.access in {"user", "admin"}


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[tuple[str, str, Any]] = []
    if "{id}" in route.path:
        found.append(("path", "id", {"type": "string", "format": "uuid"}))
    if route.query:
        properties = _schemas(route.query)[route.query.__name__]["properties"]
        found += [("query", name, schema) for name, schema in properties.items()]
    if route.etag:
        found.append(("header", route.etag, {"type": "string"}))
    return [
        {"name": name, "in": place, "required": place == "path", "schema": schema}
        for place, name, schema in found
    ]


def _responses(route: Route) -> dict[str, Any]:
    success: dict[str, Any] = {"description": SUCCESSES[route.status]}
    if route.answer:
        success["content"] = {api.JSON: {"schema": _reference(route.answer)}}
    headers = _headers(route)
    if headers:
        success["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    found = {str(route.status): success}
    if route.etag == "If-None-Match":
        found["304"] = {"description": "Not Modified"}
    for status in sorted(_problems(route)):
        found[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    return found


def _headers(route: Route) -> list[str]:
    found = []
    if (route.etag and route.method != "DELETE") or route.has_location:
        found.append("ETag")
    if route.has_location:
        found.append("Location")
    if route.query and "cursor" in route.query.model_fields:
        found.append("Link")
    return found


def _problems(route: Route) -> set[int]:
    found = set(route.problems)
    if route.access == "probe":
        return found
    found |= {406, 429, 500}
    if "{id}" in route.path:
        found.add(404)
    if route.query:
        found |= {400, 422}
    if route.etag == "If-Match":
        found.add(412)
    if route.body:
        found |= {400, 413, 415, 422}
    if _wants_user(route):
        found |= {401, 503}
        if route.method != "GET" or route.access == "admin":
            found.add(403)
    return found
