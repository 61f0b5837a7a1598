"""What a database address may say besides the place: how the way there is encrypted."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

MODES = ("disable", "require", "verify-full")
# Where systems keep the certificates they trust, in one file.
SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


class AddressError(ValueError):
    """Says what is wrong without showing the address."""


@dataclass(frozen=True, slots=True)
class Encryption:
    mode: str = "disable"
    # The file of certificates a server is checked against; empty: those of the system.
    root: str = ""


def encryption(url: str) -> Encryption:
    """Read `?sslmode=…&sslrootcert=…`; anything else is refused."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name not in {"sslmode", "sslrootcert"}:
            raise AddressError(f"{name} is no parameter here; there are sslmode and sslrootcert")
        if name in given:
            may_be = ": disable, require or verify-full" if name == "sslmode" else ""
            raise AddressError(f"{name} may stand only once{may_be}")
        given[name] = value
    mode = given.get("sslmode", "disable")
    if mode not in MODES:
        raise AddressError("sslmode may be disable, require or verify-full")
    if "sslrootcert" not in given:
        return Encryption(mode)
    if mode != "verify-full":
        raise AddressError("sslrootcert needs sslmode=verify-full")
    try:
        ssl.create_default_context(cafile=given["sslrootcert"])
    except (OSError, ValueError):
        message = "sslrootcert must name a readable file of certificates"
        raise AddressError(message) from None
    return Encryption(mode, given["sslrootcert"])


def no_parameters(url: str) -> None:
    query = urlsplit(url).query
    if "?" in url:
        name = query.partition("&")[0].partition("=")[0]
        raise AddressError(f"{name} is no parameter here; there are none")


def system_root() -> str:
    return next((name for name in SYSTEM if Path(name).exists()), "system")
