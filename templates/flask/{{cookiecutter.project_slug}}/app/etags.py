"""Preconditions: ETag, If-Match and If-None-Match."""

import re

_LISTED = re.compile(r'\s*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)')


def write(version: int) -> str:
    return f'"{version}"'


def _tags(header: str) -> list[str]:
    return _LISTED.findall(header)


def matches(header: str, etag: str) -> bool:
    """Whether If-Match holds: strong comparison, so a weak tag never does."""
    return header.strip() == "*" or etag in _tags(header)


def is_fresh(header: str, etag: str) -> bool:
    """Whether If-None-Match knows this version already: weak comparison."""
    return header.strip() == "*" or etag in [tag.removeprefix("W/") for tag in _tags(header)]
