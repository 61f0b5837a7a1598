"""An nginx as a generated project configures it, in front of its instances."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme
from proxy import serving
from services import private_directory

from scaffold.server import free_port

NAME = "app.example.com"


@dataclass(frozen=True)
class Front:
    """The project's nginx.conf at work."""

    directory: Path
    plain: int
    secure: int
    trust: ssl.SSLContext

    def client(self, *, scheme: str = "https", address: str = "127.0.0.1") -> httpx.Client:
        """A client that comes from `address`, one of this machine's own."""
        port = self.secure if scheme == "https" else self.plain
        transport = httpx.HTTPTransport(verify=self.trust, local_address=address)
        base = f"{scheme}://127.0.0.1:{port}"
        return httpx.Client(base_url=base, transport=transport, timeout=20)

    def connect(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.secure), timeout=10)
        return (context or self.trust).wrap_socket(raw, server_hostname="127.0.0.1")


@contextmanager
def fronted(files: Path, *instances: int) -> Iterator[Front]:
    """Fill in what its head says is to be filled in, and start it."""
    text = (files / "nginx.conf").read_text()
    ca, plain, secure = trustme.CA(), free_port(), free_port()
    trust = ssl.create_default_context()
    ca.configure_trust(trust)
    with ExitStack() as stack:
        home = stack.enter_context(_home(ca))
        values = {
            "SERVER_NAME": NAME,
            "HTTP_LISTEN": f"127.0.0.1:{plain}",
            "HTTPS_LISTEN": f"127.0.0.1:{secure}",
            "TLS_CERTIFICATE": f"{home}/chain.pem",
            "TLS_KEY": f"{home}/key.pem",
            "ACCESS_LOG": f"{home}/access.log",
        }
        assert set(re.findall(r"\$\{(\w+)\}", text)) == {*values, "APP_ADDRESS"}
        (line,) = re.findall(r"^  server \$\{APP_ADDRESS\}.*;\n", text, re.MULTILINE)
        lines = [line.replace("${APP_ADDRESS}", f"127.0.0.1:{port}") for port in instances]
        text = text.replace(line, "".join(lines))
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value)
        stack.enter_context(serving(text, secure))
        yield Front(home, plain, secure, trust)


@contextmanager
def _home(ca: trustme.CA) -> Iterator[Path]:
    with private_directory() as home:
        issued = ca.issue_cert("127.0.0.1", NAME)
        issued.private_key_pem.write_to_path(str(home / "key.pem"))
        for part in issued.cert_chain_pems:
            part.write_to_path(str(home / "chain.pem"), append=True)
        yield home
