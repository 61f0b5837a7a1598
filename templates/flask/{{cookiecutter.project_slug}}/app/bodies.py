"""Bodies: read within bounds and parsed strictly."""

import json
import math
from typing import Any, NoReturn

from flask import request

from app.errors import Problem

MOST_BYTES = 1 << 20
MOST_DEPTH = 32


def check(media: tuple[str, ...]) -> None:
    """Refuse a body by its headers alone."""
    length = request.environ.get("CONTENT_LENGTH") or "0"
    if length.isascii() and length.isdigit() and (len(length) > 9 or int(length) > MOST_BYTES):
        raise Problem("content-too-large")
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if request.mimetype not in media or charset != "utf-8" or encoding != "identity":
        raise Problem("unsupported-media-type")


def read() -> Any:
    """Return the body's JSON; 400 for what is none or is ambiguous."""
    data = request.environ["wsgi.input"].read(MOST_BYTES + 1) if _has_body() else b""
    if len(data) > MOST_BYTES:
        raise Problem("content-too-large")
    try:
        found = _DECODER.decode(data.decode("utf-8"))
        _check_depth(found)
    except (ValueError, RecursionError):
        raise Problem("malformed-json") from None
    return found


def _has_body() -> bool:
    return bool(request.content_length) or bool(request.environ.get("wsgi.input_terminated"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _integer(text: str) -> int | float:
    # No field is that large, and reading one takes time that grows with its square.
    return int(text) if len(text) < 400 else math.inf


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_integer)


def _check_depth(found: Any) -> None:
    level = [found]
    for _ in range(MOST_DEPTH + 1):
        level = [
            child for parent in level if isinstance(parent, dict) for child in parent.values()
        ] + [child for parent in level if isinstance(parent, list) for child in parent]
        if not level:
            return
    raise ValueError("too deep")
