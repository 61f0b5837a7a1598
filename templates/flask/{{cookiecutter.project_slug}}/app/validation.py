"""What is wrong with a request, as pointers and plain sentences."""

import re
from typing import Any, TypeVar
from urllib.parse import quote, unquote_to_bytes

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from app.errors import Problem

Model = TypeVar("Model", bound=BaseModel)
MOST_ERRORS = 100
# What a URI fragment may hold as it is.
PLAIN = "!'()*"
BAD_TEXT = "must not contain a NUL character or a lone surrogate"
WRONG_FORM = "has the wrong form"

_BAD_TEXT = re.compile("[\0\ud800-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")
_BAD_ESCAPE = re.compile("%(?![0-9a-fA-F]{2})")
_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not allowed",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "bool_type": "must be a boolean",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def invalid(pointer: str, detail: str) -> Problem:
    """Make the problem of one wrong value."""
    return Problem("validation", errors=[{"pointer": pointer, "detail": detail}])


def body(model: type[Model], found: Any) -> Model:
    """Return `found` as the model, or raise all that is wrong with it."""
    bad: list[tuple[str, ...]] = []
    _find_bad_text(found, (), bad)
    if bad:
        raise _problem([(pointer(path), BAD_TEXT) for path in bad])
    return _validate(model, found, "#")


def query(model: type[Model], text: str) -> Model:
    """Return the query as the model; each parameter once, none unknown."""
    if _BAD_ESCAPE.search(text):
        raise Problem("bad-request")
    found: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for name, value in _pairs(text):
        at = f"#/query{pointer((name,))[1:]}"
        if name in found:
            wrong.append((at, "must not repeat"))
        elif _BAD_TEXT.search(value):
            wrong.append((at, BAD_TEXT))
        known = model.model_fields.get(name)
        is_number = known is not None and known.annotation is int
        found[name] = _number(value) if is_number else value
    if wrong:
        raise _problem(wrong)
    return _validate(model, found, "#/query")


def pointer(path: tuple[str | int, ...]) -> str:
    """Write a JSON pointer as a URI fragment (RFC 6901)."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    whole = (_LONE.sub("\ufffd", step) for step in steps)
    return "".join(["#", *(f"/{quote(step, safe=PLAIN)}" for step in whole)])


def unique(items: list[str]) -> list[str]:
    if len(set(items)) != len(items):
        raise PydanticCustomError("repeats", "must not repeat")
    return items


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return [
            (_decode(name), _decode(value))
            for name, _, value in (part.partition("=") for part in text.split("&") if part)
        ]
    except UnicodeError:
        raise Problem("bad-request") from None


def _number(text: str) -> int | str:
    """Read a whole number; one too long to be meant counts as the largest of its sign."""
    if not re.fullmatch("-?[0-9]+", text):
        return text
    return int(text if len(text) < 20 else text[:20])


def _decode(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode("utf-8")


def _validate(model: type[Model], found: Any, root: str) -> Model:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    raise _problem([(root + pointer(each["loc"])[1:], _sentence(each)) for each in details])


def _sentence(error: ErrorDetails) -> str:
    if error["type"] == "literal_error":
        return "must be one of: " + str(error["ctx"]["expected"]).replace("'", "").replace(
            " or ", ", "
        )
    if error["type"] == "repeats":
        return error["msg"]
    return _SENTENCES.get(error["type"], WRONG_FORM).format(**error.get("ctx", {}))


def _problem(wrong: list[tuple[str, str]]) -> Problem:
    first: dict[str, str] = {}
    for at, detail in wrong:
        first.setdefault(at, detail)
    listed = [{"pointer": at, "detail": first[at]} for at in sorted(first)[:MOST_ERRORS]]
    return Problem("validation", errors=listed)


def _find_bad_text(found: Any, path: tuple[str, ...], bad: list[tuple[str, ...]]) -> None:
    if isinstance(found, str):
        if _BAD_TEXT.search(found):
            bad.append(path)
    elif isinstance(found, dict):
        for key, value in found.items():
            if _BAD_TEXT.search(key):
                bad.append((*path, key))
            _find_bad_text(value, (*path, key), bad)
    elif isinstance(found, list):
        for index, value in enumerate(found):
            _find_bad_text(value, (*path, str(index)), bad)
