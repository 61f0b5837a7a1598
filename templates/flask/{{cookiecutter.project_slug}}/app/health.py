"""The probes: alive, and ready to serve."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import orjson
from flask import Flask
from sqlalchemy import text

from app import api, db, limits, store
from app.api import Answer, Call, Routes
from app.errors import Problem

ALIVE = "/healthz"
CHECK_SECONDS = 2.0
stopping = threading.Event()
routes = Routes("operations")


class Health(api.Shape):
    status: api.Ok


class Readiness(api.Shape):
    status: api.Ok
    checks: dict[str, api.Ok]


def init_app(app: Flask) -> None:
    routes.init_app(app)
    app.wsgi_app = _answer_at_once(app.wsgi_app)  # type: ignore[method-assign]
    app.extensions["checkers"] = ThreadPoolExecutor(4, thread_name_prefix="check")


def _answer_at_once(inner: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Answer the most frequent request before the framework: 90 µs less."""
    body = orjson.dumps(healthz(None).body)
    headers = [("Content-Type", api.JSON), ("Content-Length", str(len(body)))]
    headers.append(("Cache-Control", "no-store"))

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if environ["PATH_INFO"] != ALIVE or method not in {"GET", "HEAD"}:
            return inner(environ, start_response)
        environ["app.route"] = ALIVE
        start_response("200 OK", headers)
        return [body] if method == "GET" else []

    return answer


@routes.add("GET", ALIVE, "healthz", "Whether the process lives", answer=Health, access="probe")
def healthz(_call: Call | None) -> Answer:
    return Answer({"status": "ok"})


@routes.add(
    "GET",
    "/readyz",
    "readyz",
    "Whether the app can serve",
    answer=Readiness,
    access="probe",
    problems=(503,),
)
def readyz(call: Call) -> Answer:
    if stopping.is_set():
        raise Problem("unavailable", detail="shutting down")
    checkers: ThreadPoolExecutor = call.app.extensions["checkers"]
    pending = {name: checkers.submit(check) for name, check in _checks(call).items()}
    checks = {name: "ok" if _passes(future) else "failed" for name, future in pending.items()}
    failed = [name for name, state in checks.items() if state == "failed"]
    if failed:
        detail = " and ".join(failed) + (" is away" if len(failed) == 1 else " are away")
        raise Problem("unavailable", detail=detail, checks=checks)
    return Answer({"status": "ok", "checks": checks})


def _checks(_call: Call) -> dict[str, Callable[[], object]]:
    engine, counts = db.engine(), limits.counts()

    def ask_database() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    checks: dict[str, Callable[[], object]] = {"database": ask_database}
    if isinstance(counts, store.Valkey):
        checks["valkey"] = counts.client.ping
    return checks


def _passes(future: Future[object]) -> bool:
    try:
        future.result(CHECK_SECONDS)
    except Exception:
        future.cancel()
        return False
    return True
