"""Prometheus metrics, summed over all worker processes."""

import hmac
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from app import config, db
from app.errors import Problem
from app.locals import method, route

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
durations = Histogram(
    "http_request_duration_seconds",
    "Time from the first byte of a request to the last of its answer.",
    ["method", "route", "status"],
    buckets=BUCKETS,
)
in_flight = Gauge(
    "http_requests_in_flight", "Requests being answered.", multiprocess_mode="livesum"
)
connections = Gauge(
    "db_pool_connections", "Database connections held.", ["state"], multiprocess_mode="livesum"
)
auth_events = Counter("auth_events_total", "Security events.", ["event"])
duration_of = cache(durations.labels)


def count_event(name: str) -> None:
    auth_events.labels(name).inc()


def init_app(app: Flask) -> None:
    app.add_url_rule("/metrics", "metrics", _answer)


def observe(environ: dict[str, Any], status: int, seconds: float) -> None:
    """Count a request whose answer is complete."""
    duration_of(method(environ), route(environ), status).observe(seconds)


def watch_pool(engine: Engine) -> None:
    """Take down how many connections this process holds: every second, and when asked."""
    pool: Any = engine.pool
    connections.labels("used").set(pool.checkedout())
    connections.labels("idle").set(pool.checkedin())


def _answer() -> Response:
    settings = config.current()
    if settings.metrics_token:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {settings.metrics_token}".encode()):
            raise Problem("unauthenticated")
    elif settings.is_production:
        raise Problem("not-found")
    watch_pool(db.engine())
    response = Response(generate_latest(_registry()))
    response.headers["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
    response.headers["Cache-Control"] = "no-store"
    return response


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(Processes())
    return registry


class Processes(Collector):
    """CPU, memory and open files of all workers together."""

    def collect(self) -> Iterator[Metric]:
        cpu = memory = files = 0.0
        started: list[float] = []
        tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        boot = _boot_time()
        for worker in _workers():
            try:
                fields = (worker / "stat").read_text().rpartition(")")[2].split()
                files += len(list((worker / "fd").iterdir()))
            except OSError:
                continue
            cpu += (int(fields[11]) + int(fields[12])) / tick
            memory += int(fields[21]) * page
            started.append(boot + int(fields[19]) / tick)
        yield CounterMetricFamily("process_cpu_seconds", "CPU time used.", value=cpu)
        yield GaugeMetricFamily("process_resident_memory_bytes", "Memory held.", value=memory)
        yield GaugeMetricFamily("process_open_fds", "Open files.", value=files)
        if started:
            oldest = min(started)
            yield GaugeMetricFamily("process_start_time_seconds", "Oldest start.", value=oldest)


def _boot_time() -> float:
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith("btime")), 0.0)


def _workers() -> list[Path]:
    children = Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children")
    try:
        return [Path("/proc") / pid for pid in children.read_text().split()]
    except OSError:
        return [Path("/proc/self")]
