"""Configuration is checked before anything starts."""

import pytest

from app import databases
from app.config import ConfigError, load
from tests.database import ROOT

PRODUCTION = {
    "APP_ENV": "production",
    "PUBLIC_URL": "https://app.example.com",
    "MAIL_URL": "smtps://app:secret@mail.example.com",
}


def complaint(settings: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(settings)
    first, *lines = str(caught.value).splitlines()
    assert first == "Configuration error:"
    return lines


def test_every_bad_variable_is_named_at_once() -> None:
    bad = {"PORT": "http", "RATE_LIMIT": "often", "PUBLIC_URL": "app", "SECRET_KEYS": "short"}
    lines = complaint(bad)
    assert {line.partition("=")[0] for line in lines} == bad.keys()
    assert any(line.startswith("PORT=http: ") for line in lines)
    assert any(line.startswith("SECRET_KEYS=***: ") for line in lines)


def test_production_refuses_a_short_secret() -> None:
    for secret in ("", "x" * 31):
        [line] = complaint({**PRODUCTION, "SECRET_KEYS": secret})
        assert line.startswith("SECRET_KEYS=")
        assert "x" * 31 not in line
    assert load({**PRODUCTION, "SECRET_KEYS": "x" * 32}).is_production


def test_production_refuses_the_example_secret() -> None:
    shipped = (ROOT / ".env.example").read_text("utf-8").splitlines()
    [example] = [line.partition("=")[2] for line in shipped if line.startswith("SECRET_KEYS=")]
    for secrets in (example, f"{'x' * 32},{example}"):
        [line] = complaint({**PRODUCTION, "SECRET_KEYS": secrets})
        assert line.startswith("SECRET_KEYS=***: ")


def test_star_is_refused_as_a_cors_origin() -> None:
    for origins in ("*", "https://app.example.com,*"):
        [line] = complaint({"CORS_ORIGINS": origins})
        assert line.startswith(f"CORS_ORIGINS={origins}: ")


def test_console_mail_is_refused_in_production() -> None:
    secret = {"SECRET_KEYS": "x" * 32}
    for url in ("", "console:"):
        [line] = complaint({**PRODUCTION, **secret, "MAIL_URL": url})
        assert line.startswith("MAIL_URL=console:: file:DIR, ")
    [line] = complaint({**PRODUCTION, **secret, "MAIL_URL": "smtp://app:secret@mail:port"})
    assert line.startswith("MAIL_URL=***: ")
    for url in ("file:mails", "smtp://mail.example.com:25", PRODUCTION["MAIL_URL"]):
        assert load({**PRODUCTION, **secret, "MAIL_URL": url}).mail_url == url
    assert load({}).mail_url == "console:"


def test_the_database_address_takes_sslmode_and_nothing_else() -> None:
    url = databases.DEFAULT.default_url
    is_server = "HOST" in databases.DEFAULT.form
    known = "there are sslmode and sslrootcert" if is_server else "there are none"
    wrong = {"colour=blue": f"colour is no parameter here; {known}"}
    if is_server:
        wrong["sslmode=prefer"] = "sslmode may be disable, require or verify-full"
        wrong["sslmode=require&sslrootcert=ca.pem"] = "sslrootcert needs sslmode=verify-full"
        absent = "sslrootcert must name a readable file of certificates"
        wrong["sslmode=verify-full&sslrootcert=absent.pem"] = absent
        for mode in ("disable", "require", "verify-full"):
            assert load({"DATABASE_URL": f"{url}?sslmode={mode}"}).database_url.endswith(mode)
    for parameters, sentence in wrong.items():
        assert complaint({"DATABASE_URL": f"{url}?{parameters}"}) == [
            f"DATABASE_URL=***: {sentence}"
        ]


def test_traces_go_to_an_http_address_or_nowhere() -> None:
    for url in ("collector:4318", "ftp://collector", "http://"):
        [line] = complaint({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
        assert line == f"OTEL_EXPORTER_OTLP_ENDPOINT={url}: empty, or an http or https URL"
    assert load({}).otel_exporter_otlp_endpoint == ""
