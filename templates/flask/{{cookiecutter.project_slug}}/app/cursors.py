"""Lists in pages: signed cursors and the link to the next page."""

import base64
import binascii
import hashlib
import hmac
import uuid
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import Field

from app import api, config, validation
from app.api import UNSET, Answer


class PageQuery(api.Shape):
    """The query of every list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(json_schema_extra={"minLength": 48, "maxLength": 48})] = UNSET
    q: Annotated[str, Field(min_length=1, max_length=200)] = UNSET


def _sign(key: bytes, user_id: str, raw: bytes) -> bytes:
    return hmac.digest(key, b"cursor:" + user_id.encode() + raw, hashlib.sha256)[:20]


def write(last_id: str, user_id: str) -> str:
    """Make the cursor that goes on after `last_id`, for this user only."""
    raw = uuid.UUID(last_id).bytes
    signed = raw + _sign(config.current().secret_keys[0], user_id, raw)
    return base64.urlsafe_b64encode(signed).decode()


def read(cursor: str | None, user_id: str) -> str | None:
    """Return the id a cursor goes on after; 422 when we did not make it for this user."""
    if cursor is None:
        return None
    try:
        signed = base64.b64decode(cursor.encode("ascii"), b"-_", validate=True)
    except (binascii.Error, ValueError):
        signed = b""
    raw, given = signed[:16], signed[16:]
    keys = config.current().secret_keys
    is_ours = any(hmac.compare_digest(given, _sign(key, user_id, raw)) for key in keys)
    if len(signed) != 36 or not is_ours:
        raise validation.invalid("#/query/cursor", validation.WRONG_FORM)
    return str(uuid.UUID(bytes=raw))


def page(path: str, query: PageQuery, items: list[dict[str, Any]], user_id: str) -> Answer:
    """Answer one page; `items` holds one more than asked when there is a next page."""
    if len(items) <= query.limit:
        return Answer({"items": items, "next": None})
    items = items[: query.limit]
    kept: dict[str, Any] = {"cursor": write(items[-1]["id"], user_id)}
    for name in ("q", "tag", "limit"):
        if name in query.model_fields_set:
            kept[name] = getattr(query, name)
    found = f"{path}?{urlencode(kept)}"
    link = f'<{config.current().public_url}{found}>; rel="next"'
    return Answer({"items": items, "next": found}, {"Link": link})


def like(text: str) -> str:
    """Write a LIKE pattern that finds `text` anywhere, taken literally; escaped by `!`."""
    for sign in "!%_":
        text = text.replace(sign, f"!{sign}")
    return f"%{text}%"
