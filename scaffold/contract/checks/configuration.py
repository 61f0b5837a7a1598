"""Chapter 1: configuration comes from the environment and is checked before anything starts."""

from __future__ import annotations

import secrets
from pathlib import Path

from scaffold.contract.checks import check, equal, eventually, true
from scaffold.contract.checks.life import given_up
from scaffold.contract.client import Client
from scaffold.contract.target import API, Target, fresh_email, fresh_password

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
    "REQUIRE_VERIFIED_EMAIL": "maybe",
    "MAIL_URL": "pigeon://roof",
    "MAIL_FROM": "nobody",
    "RATE_LIMIT": "often",
    "RATE_LIMIT_AUTH": "5/fortnight",
    "LOG_LEVEL": "loud",
    "LOG_FORMAT": "xml",
    "WEB_CONCURRENCY": "-2",
    "SHUTDOWN_SECONDS": "soon",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317",
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


@check(1, "One message names every bad variable and what it was", "twelve-factor III")
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


@check(1, "Production refuses the secret of .env.example", "ASVS 13.3.1")
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


@check(1, "A star in CORS_ORIGINS is refused", "Fetch standard, credentials, ASVS 3.4.2")
def config_cors_star(app: Target) -> None:
    equal(named(refusal(app, CORS_ORIGINS="*")), {"CORS_ORIGINS"}, "named")


@check(1, "A foreign database scheme is refused, and its password not printed", "ASVS 16.2.5")
def config_database_scheme(app: Target) -> None:
    password = secrets.token_hex(8)
    text = refusal(app, DATABASE_URL=f"oracle://app:{password}@127.0.0.1/app")
    equal(named(text), {"DATABASE_URL"}, "named")
    true(password not in text, f"the password is printed: {text}")


@check(1, "An address of a database takes no parameter but those of its encryption")
def config_database_parameters(app: Target) -> None:
    url = app.operator.database_url
    is_file = url.startswith("sqlite:")
    cases = {"colour=blue": "colour", "sslmode=prefer": "sslmode", "sslmode=": "sslmode"}
    cases |= {"sslmode=require" if is_file else "sslmode=verify-full&sslmode=disable": "sslmode"}
    for parameters, name in cases.items():
        text = refusal(app, DATABASE_URL=f"{url}?{parameters}")
        equal(named(text), {"DATABASE_URL"}, parameters)
        true(name in text, f"{parameters}: which one is not said: {text}")
        wanted = "none" if is_file else "verify-full" if name == "sslmode" else "sslmode"
        true(wanted in text, f"{parameters}: what may be there is not said: {text}")


@check(1, "Traces go to an http address or nowhere, and a password in it is not printed")
def config_traces(app: Target) -> None:
    password = secrets.token_hex(8)
    for value in ("collector:4317", "ftp://collector", "http://", f"http//a:{password}@b"):
        text = refusal(app, OTEL_EXPORTER_OTLP_ENDPOINT=value)
        equal(named(text), {"OTEL_EXPORTER_OTLP_ENDPOINT"}, value)
        true(password not in text, f"the password is printed: {text}")


@check(1, "Development starts without a secret", "")
def config_development(app: Target) -> None:
    other = app.operator.boot(APP_ENV="development", SECRET_KEYS="", METRICS_TOKEN="")
    other.anonymous.get("/healthz").expect(200)


@check(1, "An address of a mail server is whole, and its password not printed", "ASVS 16.2.5")
def config_mail_url(app: Target) -> None:
    password = secrets.token_hex(8)
    for value in (
        f"smtp://app:{password}@mail.example:99999",
        f"http://app:{password}@mail.example",
        "smtps://:587",
        "file:",
    ):
        text = refusal(app, MAIL_URL=value)
        equal(named(text), {"MAIL_URL"}, value)
        true(password not in text, f"the password is printed: {text}")
        true(("***" if "@" in value else value) in text, f"what it was: {text}")


@check(1, "Production writes no mail to the terminal, not even by default", "ASVS 16.2.5")
def config_mail_console(app: Target) -> None:
    for value in ("console:", ""):
        text = refusal(app, APP_ENV="production", MAIL_URL=value)
        equal(named(text), {"MAIL_URL"}, f"MAIL_URL={value}")
        true("file:DIR" in text and "one-time links" in text, text)


@check(1, "The sender of mails is one bare address", "RFC 5322 3.6.2")
def config_mail_from(app: Target) -> None:
    for value in (
        "Ada <ada@example.com>",
        "a@example.com, b@example.com",
        "@x",
        "a@",
        "a b@x.example",
    ):
        equal(named(refusal(app, MAIL_FROM=value)), {"MAIL_FROM"}, value)


@check(1, "Whether addresses must be confirmed is true or false, nothing between")
def config_verified(app: Target) -> None:
    for value in ("TRUE", "1"):
        text = refusal(app, REQUIRE_VERIFIED_EMAIL=value)
        equal(named(text), {"REQUIRE_VERIFIED_EMAIL"}, value)


@check(1, "In development mails are readable on the terminal, without any setting")
def config_mail_terminal(app: Target) -> None:
    settings = {"APP_ENV": "development", "MAIL_URL": "", "MAIL_FROM": "", "SHUTDOWN_SECONDS": "2"}
    with app.operator.start(**settings) as server:
        body = {"email": fresh_email(), "password": fresh_password(), "name": "Ada"}
        Client(server.ready().base).post(f"{API}/auth/register", body).expect(202)

        def shown() -> bool:
            text = server.errors.read_text(encoding="utf-8")
            start = text.find(f"--- mail to {body['email']}\nSubject: ")
            return start >= 0 and "/verify-email#token=" in text[start:]

        eventually(shown, True, "a mail on stderr")  # noqa: FBT003 (the value awaited)


OLD, NEW = secrets.token_hex(32), secrets.token_hex(32)


def rotated(app: Target) -> tuple[Target, Target, Target]:
    """The app before, during and after a change of its secret key."""
    boot = app.operator.boot
    return boot(SECRET_KEYS=OLD), boot(SECRET_KEYS=f"{NEW},{OLD}"), boot(SECRET_KEYS=NEW)


@check(1, "The first key signs and all keys verify", "ASVS 11.2.2, 13.3.4")
def config_keys_rotate(app: Target) -> None:
    before, during, after = rotated(app)
    person = before.person()
    for title in ("one", "two"):
        before.note(person, title)
    path = person.client.get(f"{API}/notes?limit=1").expect(200).json()["next"]
    token = person.client.token
    equal(during.client(token).get(path).expect(200).json()["items"][0]["title"], "one", path)
    equal(after.client(token).get(path).pointers(), ["#/query/cursor"], "pointers")
