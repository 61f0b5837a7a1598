"""Who is asking: the client address behind trusted proxies."""

import ipaddress
from typing import Any


def address(environ: dict[str, Any], trusted_proxies: int) -> str:
    """Return the client's address; our proxies add theirs to the right of the header."""
    peer = str(environ.get("REMOTE_ADDR") or "")
    if not trusted_proxies:
        return peer
    hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if len(hops) < trusted_proxies:
        return peer
    try:
        return str(ipaddress.ip_address(hops[-trusted_proxies]))
    except ValueError:
        return peer


def network(client: str) -> str:
    """Return what counts as one client: an IPv4 address or an IPv6 /64."""
    if ":" not in client:
        return client
    parsed = ipaddress.ip_address(client.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or ipaddress.ip_network((parsed, 64), strict=False))
