"""Someone who uses the API, and what came back."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

from flask import Flask
from sqlalchemy import update
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from tests import database

PASSWORD = "analytical-engine-1843"
AUTH = "/api/v1/auth"
ME = "/api/v1/users/me"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    text: str
    body: Any

    @classmethod
    def to(cls, response: TestResponse) -> "Answer":
        body = response.json if response.is_json else None
        return cls(response.status_code, response.headers, response.text, body)


class Person:
    """A client with a token, or with none: then anyone."""

    def __init__(self, app: Flask, email: str = "", token: str = "") -> None:
        self.app, self.email, self.token = app, email, token

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send bytes as they are, anything else as JSON; `if_match` is the header If-Match."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent.setdefault("content-type", "application/json")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        client = self.app.test_client(use_cookies=False)
        # Buffered: the request is over, also for the log and the metrics.
        return Answer.to(client.open(path, method=method, headers=sent, data=data, buffered=True))

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Answer:
        return self.ask("PATCH", path, body, **headers)

    def delete(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("DELETE", path, body, **headers)

    def register(self, name: str, /, **more: str) -> Answer:
        email = f"{name.lower()}@example.com"
        body = {"email": email, "password": PASSWORD, "name": name, **more}
        return self.post(f"{AUTH}/register", body)

    def login(self, email: str, password: str = PASSWORD, **more: str) -> Answer:
        return self.post(f"{AUTH}/login", {"email": email, "password": password, **more})

    def again(self) -> "Person":
        """Return the same person in another session."""
        token = Person(self.app).login(self.email).body["token"]
        return Person(self.app, self.email, token)


def enroll(app: Flask, name: str) -> Person:
    """Register someone and log in."""
    assert Person(app).register(name).status == 202
    return Person(app, f"{name.lower()}@example.com").again()


def promote(person: Person) -> Person:
    """Make someone an admin."""
    users = database.table("users")
    is_theirs = users.c.email_normalized == person.email
    database.change(person.app, update(users).where(is_theirs).values(role="admin"))
    return person


def assert_problem(answer: Answer, status: int, name: str) -> None:
    assert answer.headers.get("Content-Type") == "application/problem+json", answer.text
    assert answer.body["type"] == f"/problems/{name}"
    assert answer.status == answer.body["status"] == status
    assert answer.body["request_id"] == answer.headers["X-Request-Id"]
    assert {"title", "detail", "instance"} <= answer.body.keys()


def assert_invalid(answer: Answer, expected: dict[str, str]) -> None:
    """Expect exactly these pointers and details from validation."""
    assert_problem(answer, 422, "validation")
    assert {error["pointer"]: error["detail"] for error in answer.body["errors"]} == expected


def at_once(count: int, call: Callable[[], Answer]) -> Counter[int]:
    """Send the same request `count` times in parallel, and count the statuses."""
    together = Barrier(count)

    def send() -> Answer:
        together.wait()
        return call()

    with ThreadPoolExecutor(count) as threads:
        futures = [threads.submit(send) for _ in range(count)]
        return Counter(future.result().status for future in futures)
