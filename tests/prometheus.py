"""A Prometheus of one's own that asks one app for its metrics each second."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from services import absent, private_directory, started

from scaffold.server import free_port

JOB = "my-app"
CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: {job}
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: ["{target}"]}}]
"""


@dataclass(frozen=True)
class Prometheus:
    base: str

    def ask(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.base}/api/v1/{path}", params=parameters, timeout=10)
        found = answer.json()
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series that has a value now."""
        found = self.ask("query", query=expression)
        assert found["resultType"] == "vector", found
        pairs = [(one["metric"], float(one["value"][1])) for one in found["result"]]
        return [(labels, value) for labels, value in pairs if not math.isnan(value)]


@contextmanager
def prometheus(target: str, token: str) -> Iterator[Prometheus]:
    binary = shutil.which("prometheus")
    if not binary:
        absent("Prometheus is missing: install the system's prometheus")
    port = free_port()
    with private_directory() as directory:
        text = CONFIGURATION.format(job=JOB, token=token, target=target)
        (directory / "prometheus.yml").write_text(text)
        base = f"http://127.0.0.1:{port}"
        command = [binary, f"--config.file={directory}/prometheus.yml"]
        command += [
            f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]

        def is_ready() -> bool:
            try:
                return httpx.get(f"{base}/-/ready", timeout=2).status_code == 200
            except httpx.HTTPError:
                return False

        with started(command, directory, None, is_ready):
            yield Prometheus(base)


def filled(query: str) -> str:
    """What Grafana sends: its variables replaced, `All` chosen, over a quarter of an hour."""
    values = {"job": ".+", "__rate_interval": "15s", "__interval": "15s"}
    text = re.sub(r"\$\{?(\w+)\}?", lambda found: values[found[1]], query)
    variable = re.fullmatch(r"label_values\((.+), (\w+)\)", text)
    return f"count by ({variable[2]}) ({variable[1]})" if variable else text


def queries(dashboard: str) -> dict[str, str]:
    """Every query of a dashboard by its panel's title or its variable's name."""
    found = json.loads(dashboard)
    asked = {}
    for panel in found["panels"]:
        for target in panel["targets"]:
            asked[f"{panel['title']} {target['refId']}"] = filled(target["expr"])
    for variable in found["templating"]["list"]:
        if variable["type"] == "query":
            asked[f"${variable['name']}"] = filled(variable["query"])
    return asked
