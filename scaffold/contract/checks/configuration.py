"""Chapter 1: configuration comes from the environment and is checked before anything starts."""

from __future__ import annotations

import secrets
from pathlib import Path

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.life import given_up
from scaffold.contract.target import API, Target

BAD = {
    "APP_ENV": "moon",
    "PORT": "70000",
    "DATABASE_POOL_SIZE": "0",
    "VALKEY_URL": "http://127.0.0.1/",
    "PUBLIC_URL": "localhost",
    "CORS_ORIGINS": "https://a.example/path",
    "TRUSTED_PROXIES": "-1",
    "SESSION_IDLE_DAYS": "0",
    "SESSION_MAX_DAYS": "many",
    "RATE_LIMIT": "often",
    "RATE_LIMIT_AUTH": "5/fortnight",
    "LOG_LEVEL": "loud",
    "LOG_FORMAT": "xml",
    "WEB_CONCURRENCY": "-2",
    "SHUTDOWN_SECONDS": "soon",
}


def refusal(app: Target, **settings: str) -> str:
    """Start with bad settings; return what the app says when it gives up."""
    server = app.operator.start(**settings)
    try:
        equal(given_up(server), 78, f"exit status with {settings}")
    finally:
        server.kill()
    text = server.errors.read_text(encoding="utf-8")
    equal(text.splitlines()[:1], ["Configuration error:"], "first line on stderr")
    true("Traceback" not in text and "    at " not in text, f"a stack trace: {text}")
    return text


def named(text: str) -> set[str]:
    """The variables a refusal names, one a line."""
    return {line.split("=")[0].strip(" -") for line in text.splitlines()[1:] if "=" in line}


@check(1, "One message names every bad variable and what it was", "ASVS 13.1")
def config_names_all(app: Target) -> None:
    text = refusal(app, **BAD)
    equal(sorted(set(BAD) - named(text)), [], f"variables left out of {text}")
    lines = {line.split("=")[0].strip(" -"): line for line in text.splitlines()[1:]}
    # An address may carry a password, and is then not shown whole.
    silent = [
        name for name, was in BAD.items() if was not in lines[name] and "***" not in lines[name]
    ]
    equal(silent, [], "variables whose value is not said")


@check(1, "A good variable is not blamed", "twelve-factor III")
def config_names_only_bad(app: Target) -> None:
    equal(named(refusal(app, RATE_LIMIT="often")), {"RATE_LIMIT"}, "variables named")


@check(1, "Production refuses to start without a secret", "ASVS 13.3.1")
def config_secret_missing(app: Target) -> None:
    equal(named(refusal(app, APP_ENV="production", SECRET_KEYS="")), {"SECRET_KEYS"}, "named")


@check(1, "Production refuses a secret under 32 bytes and does not print it", "ASVS 13.3.1")
def config_secret_short(app: Target) -> None:
    short = secrets.token_hex(15)
    text = refusal(app, APP_ENV="production", SECRET_KEYS=short)
    equal(named(text), {"SECRET_KEYS"}, "named")
    true(short not in text and "***" in text, f"the secret is printed: {text}")


@check(1, "Every key counts: a short old key is refused too", "ASVS 13.3.1")
def config_secret_second_short(app: Target) -> None:
    keys = f"{secrets.token_hex(32)},tiny"
    equal(named(refusal(app, APP_ENV="production", SECRET_KEYS=keys)), {"SECRET_KEYS"}, "named")


@check(1, "Production refuses the secret of .env.example", "ASVS 13.2.3")
def config_secret_example(app: Target) -> None:
    example = Path(app.operator.directory, ".env.example").read_text(encoding="utf-8")
    lines = [line.strip("# ") for line in example.splitlines()]
    keys = [line.partition("=")[2] for line in lines if line.startswith("SECRET_KEYS=")]
    true(keys, "SECRET_KEYS is missing in .env.example")
    equal(
        named(refusal(app, APP_ENV="production", SECRET_KEYS=keys[0].strip("'\""))),
        {"SECRET_KEYS"},
        "named",
    )


@check(1, "A star in CORS_ORIGINS is refused", "Fetch standard, credentials")
def config_cors_star(app: Target) -> None:
    equal(named(refusal(app, CORS_ORIGINS="*")), {"CORS_ORIGINS"}, "named")


@check(1, "A foreign database scheme is refused, and its password not printed", "ASVS 16.2.5")
def config_database_scheme(app: Target) -> None:
    password = secrets.token_hex(8)
    text = refusal(app, DATABASE_URL=f"oracle://app:{password}@127.0.0.1/app")
    equal(named(text), {"DATABASE_URL"}, "named")
    true(password not in text, f"the password is printed: {text}")


@check(1, "Development starts without a secret", "")
def config_development(app: Target) -> None:
    other = app.operator.boot(APP_ENV="development", SECRET_KEYS="", METRICS_TOKEN="")
    other.anonymous.get("/healthz").expect(200)


@check(1, "The first key signs and all keys verify", "ASVS 13.3.4")
def config_keys_rotate(app: Target) -> None:
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    before = app.operator.boot(SECRET_KEYS=old)
    person = before.person()
    for title in ("one", "two"):
        before.note(person, title)
    path = person.client.get(f"{API}/notes?limit=1").expect(200).json()["next"]
    during = app.operator.boot(SECRET_KEYS=f"{new},{old}")
    token = person.client.token
    equal(during.client(token).get(path).expect(200).json()["items"][0]["title"], "one", path)
    after = app.operator.boot(SECRET_KEYS=new)
    equal(after.client(token).get(path).pointers(), ["#/query/cursor"], "pointers")
