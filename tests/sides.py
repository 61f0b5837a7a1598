"""One of two apps that are asked the same: its names for what both know by number."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from grammar import Step  # noqa: TC002 (ours)
from telling import Teller
from words import PASSWORDS, SOME, Ref

from scaffold.contract import totp
from scaffold.contract.client import Answer, Broken
from scaffold.contract.target import API, Person, Target

MAIL_PATIENCE = 2.0
DEFAULTS = {
    "etag": '"1"',
    "cursor": "x" * 48,
    "recovery": "aaaaaa-bbbbbb-cccccc-dddddd",
    "secret": "A" * 32,
    "token": "x" * 43,
    "verify-email": "x" * 43,
    "reset-password": "x" * 43,
}


@dataclass
class Side:
    """An app, the person of one sequence there, and what her answers named."""

    target: Target
    other: Person
    admin: Person
    email: str
    password: str = PASSWORDS[0]
    teller: Teller = field(default_factory=Teller)
    # By kind, in the order of their coming: ids, tokens, secrets, codes.
    names: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    # How many mails of a kind may have been sent.
    mails: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def begin(self, stranger: str) -> None:
        """Register, log in, and know of somebody else's note."""
        login = {"email": self.email, "password": self.password}
        anonymous = self.target.anonymous
        anonymous.post(f"{API}/auth/register", {**login, "name": "Ada Lovelace"}).expect(202)
        self.mails["verify-email"] = 1
        found = anonymous.post(f"{API}/auth/login", login).expect(200).json()
        self.names["token"] = [found["token"]]
        self.names["user"] = [found["user"]["id"]]
        self.names["other note"], self.names["other user"] = [stranger], [self.other.id]

    def take(self, step: Step, moment: int) -> dict[str, Any]:
        """Ask at a moment (a TOTP step), remember what the answer names, and tell it."""
        body = self._fill(step.json, moment)
        headers = self._identity(step.who) | self._fill(step.headers, moment)
        send: dict[str, Any] = {} if body is None else {"json": body}
        send = send if step.raw is None else {"body": step.raw}
        answer = self.target.anonymous.request(
            step.method, self._path(step, moment), headers=headers, **send
        )
        self._remember(step.name, body or {}, answer)
        return self.teller.told(answer, headers.get("X-Request-Id"))

    def _path(self, step: Step, moment: int) -> str:
        path = "".join(self._fill(part, moment) for part in step.path)
        pairs = (
            f"{name}={quote(str(self._fill(value, moment)), safe='')}" for name, value in step.query
        )
        query = "&".join(pairs)
        return f"{path}?{query}" if query else path

    def _identity(self, who: Ref) -> dict[str, Any]:
        token = self._name("token", who.number)
        if who.kind.startswith("cookie"):
            ours = {"Sec-Fetch-Site": "same-origin"} if who.kind.endswith("ours") else {}
            return self.target.cookie(token) | ours
        tokens = {"token": token, "other": self.other.client.token, "garbage": "y" * 43}
        tokens["admin"] = self.admin.client.token
        return {"Authorization": f"Bearer {tokens[who.kind]}"} if who.kind in tokens else {}

    def _fill(self, value: Any, moment: int) -> Any:
        """The value with its references resolved."""
        if isinstance(value, Mapping):
            return {key: self._fill(one, moment) for key, one in value.items()}
        if isinstance(value, list):
            return [self._fill(one, moment) for one in value]
        return self._resolve(value, moment) if isinstance(value, Ref) else value

    def _resolve(self, ref: Ref, moment: int) -> str:
        fixed = {"email": self.email, "EMAIL": self.email.upper(), "password": self.password}
        fixed |= {"other email": self.other.email, "public": self.target.operator.public_url}
        if ref.kind in fixed:
            return fixed[ref.kind]
        if ref.kind.endswith("code"):
            ago = 10 if ref.kind == "old code" else ref.number % 2
            return totp.code_at(self._name("secret", -1), moment - ago)
        if ref.kind in self.mails:
            self._read_mail(ref.kind, ref.number % self.mails[ref.kind] + 1)
        return self._name(ref.kind, -1 if ref.kind in {"etag", "cursor"} else ref.number)

    def _name(self, kind: str, number: int) -> str:
        found = self.names[kind]
        # Counted from the end, so that 0 is the latest.
        return found[-1 - number % len(found)] if found else DEFAULTS.get(kind, SOME)

    def _read_mail(self, kind: str, number: int) -> None:
        """Wait for the `number`-th mail of a kind, and know its token."""
        end = time.monotonic() + MAIL_PATIENCE
        while len(found := self.target.mailbox.all(self.email, kind)) < number:
            if time.monotonic() > end:
                return
            time.sleep(0.02)
        with suppress(Broken):
            self.names[kind] = [mail.token for mail in found[:number]]

    def _remember(self, name: str, body: Mapping[str, Any], answer: Answer) -> None:
        if etag := answer.header("ETag"):
            self.names["etag"].append(etag)
        if not 200 <= answer.status < 300:
            return
        if name in {"changePassword", "resetPassword"}:
            self.password = body["password"]
        if name == "forgotPassword" and str(body["email"]).lower() == self.email:
            self.mails["reset-password"] += 1
        if "json" in (answer.header("Content-Type") or "") and answer.body:
            self._note(name, answer.json())

    def _note(self, name: str, found: Mapping[str, Any]) -> None:
        if found.get("user", {}).get("email") == self.email and "token" in found:
            self.names["token"].append(found["token"])
        if name == "createNote":
            self.names["note"].append(found["id"])
        if name == "listSessions":
            self.names["session"] += [item["id"] for item in found["items"]]
        if "secret" in found:
            self.names["secret"].append(found["secret"])
        self.names["recovery"] += found.get("recovery_codes", [])
        if found.get("next"):
            self.names["cursor"].append(found["next"].split("cursor=")[1].split("&")[0])
