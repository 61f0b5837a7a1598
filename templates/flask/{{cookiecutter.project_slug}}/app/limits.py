"""Rate limits per client, shared through Valkey when there is one."""

from typing import cast

from flask import Flask, current_app, request

from app import clients, store
from app.config import Config, Rate
from app.errors import Problem
from app.locals import current_viewer
from app.security import SAFE_METHODS

UNLIMITED = {"/healthz", "/readyz", "/metrics"}


class Policy:
    """A named rate and the numbers that follow from it."""

    def __init__(self, name: str, rate: Rate) -> None:
        self.name = name
        self.quota = rate.quota
        self.cost = rate.seconds * store.MILLION // rate.quota
        self.header = f'"{name}";q={rate.quota};w={rate.seconds}'


def counts() -> store.Store:
    return cast("store.Store", current_app.extensions["store"])


def init_app(app: Flask) -> None:
    config: Config = app.extensions["config"]
    app.extensions["store"] = store.open_store(config.valkey_url)
    usual = Policy("default", config.rate_limit)
    strict = Policy("auth", config.rate_limit_auth)

    @app.before_request
    def _limit() -> None:
        path = request.path
        if path in UNLIMITED:
            return
        if path.startswith("/api/v1/auth/") and request.method not in SAFE_METHODS:
            _take(strict, _by_address())
        else:
            viewer = current_viewer() if path.startswith("/api/") else None
            _take(usual, f"user:{viewer.user_id}" if viewer else _by_address())


def _by_address() -> str:
    return f"address:{clients.network(request.environ['app.client'])}"


def _take(policy: Policy, client: str) -> None:
    verdict = counts().take(f"rate:{policy.name}:{client}", policy.cost, policy.quota)
    full = _seconds(verdict.until_full)
    request.environ["app.headers"] = [
        ("RateLimit-Policy", policy.header),
        ("RateLimit", f'"{policy.name}";r={verdict.left};t={full}'),
    ]
    if not verdict.is_allowed:
        wait = str(max(1, _seconds(verdict.wait)))
        raise Problem("rate-limited", headers={"Retry-After": wait})


def _seconds(micros: int) -> int:
    return -(-micros // store.MILLION)
