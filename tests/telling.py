"""What an answer tells, without what differs from one run of the same app to the next."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from scaffold.contract.client import Answer

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
OWN = {"date", "x-request-id", "content-length", "connection", "keep-alive"}
# Known again when they come back: the first is 1, the second 2.
NUMBERED = re.compile(
    rf"(?P<UUID>{UUID})|(?P<TIME>{TIME})"
    # 43 characters are a token, 48 a cursor, 32 a secret, 27 a recovery code.
    r"|(?<![\w-])(?P<TOKEN>[A-Za-z0-9_-]{43}|[A-Z2-7]{32}|(?:[a-z2-7]{6}-){3}[a-z2-7]{6})(?![\w-])"
    r"|(?<=cursor=)(?P<CURSOR>[A-Za-z0-9_-]{48})(?![\w-])"
    r"|(?P<HOST>127\.0\.0\.1(?::|%3A)\d+)|(?P<LEFT>;r=\d+;t=\d+)"
)


def is_long(name: str, value: str) -> bool:
    """A wait of minutes, which is a second more or less on the other side."""
    return name.lower() == "retry-after" and int(value) > 60


@dataclass
class Teller:
    """Tells answers of one app, and knows what it has seen before by number."""

    _seen: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    def told(self, answer: Answer, sent_id: str | None = None) -> dict[str, Any]:
        """Everything, members of objects in their order."""
        headers = sorted(
            (name.lower(), "LONG" if is_long(name, value) else self._numbered(value))
            for name, value in answer.headers
            if name.lower() not in OWN
        )
        kept = answer.header("X-Request-Id")
        text = self._text(answer)
        body = self._numbered(text.replace(kept, "REQUEST") if kept else text)
        return {
            "status": answer.status,
            "headers": headers,
            "has_length": answer.header("Content-Length") is not None,
            "request_id": "kept" if kept == sent_id else "made",
            "body": body,
        }

    @staticmethod
    def _text(answer: Answer) -> str:
        if "json" in (answer.header("Content-Type") or "") and answer.body:
            # One spelling of escapes and blanks; members in their order, but for the document.
            return json.dumps(answer.json(), sort_keys=answer.path == "/openapi.json")
        return answer.body.decode("utf-8", "backslashreplace")

    def _numbered(self, text: str) -> str:
        def number(match: re.Match[str]) -> str:
            kind = match.lastgroup or ""
            if kind in {"HOST", "LEFT"}:
                return kind
            seen = self._seen[kind]
            return f"{kind}{seen.setdefault(match[0], len(seen) + 1)}"

        return NUMBERED.sub(number, text)
