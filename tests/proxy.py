"""An nginx of one's own: in front of several apps, or as a generated project configures it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from services import ENVIRONMENT, absent, is_listening, private_directory, started

CONFIGURATION = """
daemon off;
# One process, as whoever runs the tests.
master_process off;
pid {directory}/pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  include {directory}/site.conf;
}}
"""
IN_TURN = """
client_max_body_size 2m;
# In turn, whatever they answer.
upstream apps {{ {servers} }}
server {{
  listen 127.0.0.1:{port};
  location / {{
    proxy_pass http://apps;
    proxy_next_upstream off;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
  }}
}}
"""


@contextmanager
def serving(site: str, port: int) -> Iterator[Path]:
    """Run nginx with `site` in its http block until `port` answers; yields its directory."""
    path = os.pathsep.join((ENVIRONMENT["PATH"], "/usr/sbin", "/usr/local/sbin"))
    binary = shutil.which("nginx", path=path)
    if not binary:
        absent("nginx is missing: install the system's nginx-light")
    with private_directory() as directory:
        file = directory / "nginx.conf"
        file.write_text(CONFIGURATION.format(directory=directory))
        (directory / "site.conf").write_text(site)
        command = [binary, "-p", directory, "-c", file, "-e", directory / "error.log"]
        with started(command, directory, None, lambda: is_listening(port)):
            yield directory


@contextmanager
def nginx(port: int, backends: Sequence[int]) -> Iterator[str]:
    """Listen on `port` and ask the backends in turn; yields the URL."""
    servers = " ".join(f"server 127.0.0.1:{backend};" for backend in backends)
    with serving(IN_TURN.format(servers=servers, port=port), port):
        yield f"http://127.0.0.1:{port}"
