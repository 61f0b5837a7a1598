"""Prometheus metrics, summed over all worker processes."""

import hmac
import os
import time
from collections.abc import Callable, Iterable, Iterator
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
from sqlalchemy import event
from werkzeug.wsgi import ClosingIterator

from app import config
from app.errors import Problem

KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
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
    inner = app.wsgi_app
    _watch_pool(app)
    app.add_url_rule("/metrics", "metrics", _answer)

    def measure(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = time.perf_counter()
        status = ["500"]
        in_flight.inc()

        def note_status(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            status[0] = line[:3]
            return start_response(line, headers, exc_info)

        def finish() -> None:
            in_flight.dec()
            method = environ["REQUEST_METHOD"]
            route = environ.get("app.route", "unmatched")
            child = duration_of(method if method in KNOWN_METHODS else "OTHER", route, status[0])
            child.observe(time.perf_counter() - started)

        return ClosingIterator(inner(environ, note_status), finish)

    app.wsgi_app = measure  # type: ignore[method-assign]


def _watch_pool(app: Flask) -> None:
    used, idle = connections.labels("used"), connections.labels("idle")

    def move(*steps: Callable[[], None]) -> Callable[..., None]:
        def step(*_about: object) -> None:
            for each in steps:
                each()

        return step

    engine = app.extensions["engine"]
    event.listen(engine, "connect", move(idle.inc))
    event.listen(engine, "checkout", move(idle.dec, used.inc))
    event.listen(engine, "checkin", move(used.dec, idle.inc))
    event.listen(engine, "close", move(idle.dec))


def _answer() -> Response:
    settings = config.current()
    if settings.metrics_token:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {settings.metrics_token}".encode()):
            raise Problem("unauthenticated")
    elif settings.is_production:
        raise Problem("not-found")
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
