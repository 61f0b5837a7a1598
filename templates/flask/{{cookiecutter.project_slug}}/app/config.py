"""Configuration from the environment, checked before anything starts."""

import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from flask import current_app

from app import databases
from app.databases.address import AddressError

EXAMPLE_SECRET = "example-only-make-setup-writes-a-fresh-one"  # noqa: S105 (production refuses it)
# Those that may hold a password before an @.
SECRET_WITH_AT = {"MAIL_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"}
SECRET = {"SECRET_KEYS", "METRICS_TOKEN", "DATABASE_URL", "VALKEY_URL"}
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
ABOUT = json.loads((Path(__file__).parent / "data" / "about.json").read_text("utf-8"))
MAIL_FORMS = "file:DIR, smtp://USER:PASSWORD@HOST:PORT or smtps://…"

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_ADDRESS = re.compile(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@" + rf"{_LABEL}(?:\.{_LABEL})*")
_MAIL_SERVER = re.compile(
    r"smtps?://(?:([^\s@/:?#]+):([^\s@/?#]+)@)?(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?/?"
)


@dataclass(frozen=True, slots=True)
class Rate:
    quota: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Config:
    app_env: str
    host: str
    port: int
    database_url: str
    database_pool_size: int
    valkey_url: str
    secret_keys: tuple[bytes, ...]
    public_url: str
    cors_origins: frozenset[str]
    trusted_proxies: int
    session_idle_days: int
    session_max_days: int
    require_verified_email: bool
    rate_limit: Rate
    rate_limit_auth: Rate
    mail_url: str
    mail_from: str
    log_level: str
    log_format: str
    metrics_token: str
    web_concurrency: int
    shutdown_seconds: int
    otel_exporter_otlp_endpoint: str
    otel_service_name: str

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")


class ConfigError(Exception):
    """Every bad variable at once, one a line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(["Configuration error:", *lines]))


def current() -> Config:
    """Return the configuration of the app that is answering."""
    return cast("Config", current_app.extensions["config"])


def load(environ: Mapping[str, str]) -> Config:
    """Read the environment, or raise one `ConfigError` that names all that is wrong."""
    bad: list[str] = []
    values: dict[str, Any] = {}
    is_production = environ.get("APP_ENV") == "production"
    variables = VARIABLES | PRODUCTION if is_production else VARIABLES
    for name, (default, read, may_be) in variables.items():
        given = environ.get(name, "").strip()
        try:
            values[name.lower()] = read(given or default)
        except ValueError as error:
            is_secret = name in SECRET or (name in SECRET_WITH_AT and "@" in given)
            shown = "***" if is_secret and given else given or default
            bad.append(f"{name}={shown}: {error if isinstance(error, AddressError) else may_be}")
    keys = values.get("secret_keys")
    if is_production and keys is not None and (not keys or EXAMPLE_SECRET.encode() in keys):
        shown = "***" if keys else ""
        bad.append(f"SECRET_KEYS={shown}: production needs its own secrets of at least 32 bytes")
    if bad:
        raise ConfigError(bad)
    values["log_format"] = values["log_format"] or ("json" if is_production else "text")
    values["secret_keys"] = keys or (secrets.token_bytes(32),)
    return Config(**values)


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return read


def _boolean(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return read


def _text(text: str) -> str:
    if not text.isprintable():
        raise ValueError
    return text


def _origin(text: str) -> str:
    parts = urlsplit(text)
    _ = parts.port  # raises when it is no number
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError
    if text.rstrip("/") != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        raise ValueError
    return text.rstrip("/").lower()


def _origins(text: str) -> frozenset[str]:
    return frozenset(_origin(part.strip()) for part in text.split(",") if part.strip())


def _keys(text: str) -> tuple[bytes, ...]:
    keys = tuple(part.strip().encode() for part in text.split(",") if part.strip())
    if any(len(key) < 32 for key in keys):
        raise ValueError
    return keys


def _rate(text: str) -> Rate:
    match = re.fullmatch(r"([1-9][0-9]{0,5})/(second|minute|hour|day)", text)
    if not match:
        raise ValueError
    return Rate(int(match[1]), SECONDS[match[2]])


def _database(text: str) -> str:
    databases.find(text).check(text)
    return text


def _valkey(text: str) -> str:
    parts = urlsplit(text)
    _ = parts.port
    if text and (parts.scheme not in {"redis", "rediss"} or not parts.hostname):
        raise ValueError
    if not re.fullmatch(r"/?[0-9]{0,3}", parts.path):
        raise ValueError
    return text


def _collector(text: str) -> str:
    parts = urlsplit(text)
    _ = parts.port
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError
    return _text(text)


def _mail(text: str) -> str:
    if text == "console:" or re.fullmatch("file:.+", _text(text)):
        return text
    match = _MAIL_SERVER.fullmatch(text)
    if not match or urlsplit(text).port == 0:
        raise ValueError
    for part in (match[1] or "", match[2] or ""):
        plain = unquote(part)
        # What mail servers are sure to read as it was meant.
        if re.search("%(?![0-9a-fA-F]{2})", part) or not (plain.isascii() and plain.isprintable()):
            raise ValueError
    return text


def _mail_unseen(text: str) -> str:
    if text == "console:":
        raise ValueError
    return _mail(text)


def _address(text: str) -> str:
    if len(text) > 254 or not _ADDRESS.fullmatch(text):
        raise ValueError
    return text


def _cores() -> str:
    return str(min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, 256))


VARIABLES: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "APP_ENV": (
        "development",
        _one_of("development", "test", "production"),
        "development, test or production",
    ),
    "HOST": ("127.0.0.1", _text, "an address to listen on"),
    "PORT": ("8000", _number(0, 65535), "a whole number from 0 to 65535"),
    "DATABASE_URL": (databases.DEFAULT.default_url, _database, databases.FORMS),
    "DATABASE_POOL_SIZE": ("10", _number(1, 1000), "a whole number from 1 to 1000"),
    "VALKEY_URL": ("", _valkey, "empty, or redis://HOST:PORT/NUMBER"),
    "SECRET_KEYS": ("", _keys, "secrets of at least 32 bytes, separated by commas"),
    "PUBLIC_URL": ("http://localhost:8000", _origin, "an origin like https://app.example.com"),
    "CORS_ORIGINS": ("", _origins, "exact origins separated by commas, never *"),
    "TRUSTED_PROXIES": ("0", _number(0, 10), "a whole number from 0 to 10"),
    "SESSION_IDLE_DAYS": ("14", _number(1, 3650), "a whole number from 1 to 3650"),
    "SESSION_MAX_DAYS": ("90", _number(1, 3650), "a whole number from 1 to 3650"),
    "REQUIRE_VERIFIED_EMAIL": ("false", _boolean, "true or false"),
    "RATE_LIMIT": ("300/minute", _rate, "N/second, N/minute, N/hour or N/day"),
    "RATE_LIMIT_AUTH": ("20/minute", _rate, "N/second, N/minute, N/hour or N/day"),
    "MAIL_URL": ("console:", _mail, f"console:, {MAIL_FORMS}"),
    "MAIL_FROM": ("app@localhost", _address, "an e-mail address"),
    "LOG_LEVEL": (
        "info",
        _one_of("debug", "info", "warning", "error"),
        "debug, info, warning or error",
    ),
    "LOG_FORMAT": ("", _one_of("", "json", "text"), "json or text"),
    "METRICS_TOKEN": ("", _text, "printable characters"),
    "WEB_CONCURRENCY": (_cores(), _number(1, 256), "a whole number from 1 to 256"),
    "SHUTDOWN_SECONDS": ("20", _number(1, 3600), "a whole number from 1 to 3600"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("", _collector, "empty, or an http or https URL"),
    "OTEL_SERVICE_NAME": (ABOUT["name"], _text, "printable characters"),
}
# What differs in production.
PRODUCTION: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "MAIL_URL": (
        "console:",
        _mail_unseen,
        f"{MAIL_FORMS}, because console: shows one-time links",
    ),
}
