"""The proxy configuration and the dashboard each project ships, at work on the app itself."""

from __future__ import annotations

import json
import re
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx  # noqa: TC002 (light)
import pytest
import yaml
from boots import Booted, baked, settings
from fronts import NAME, Front, fronted
from services import Sqlite

from scaffold.contract.target import API, Target, fresh_email
from scaffold.server import free_port
from scaffold.stacks import stacks
from scaffold.variants import variant

MIB = 1024 * 1024
# What makes an answer safe to show, whoever made it.
SECURE = [
    "cache-control",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
]


@dataclass(frozen=True)
class Site:
    app: Target
    files: Path
    front: Front


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(f"deploy-{name}")) for name in stacks()
    ],
)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    database = Sqlite()
    with ExitStack() as stack:
        project = stack.enter_context(baked(variant(stacks()[request.param], database="sqlite")))
        env = settings(database.fresh())
        env |= {"TRUSTED_PROXIES": "1", "PUBLIC_URL": f"https://{NAME}"}
        operator = Booted(project, database, env, stack)
        operator.migrate()
        app, files = operator.target(), project.directory / "deploy"
        yield Site(app, files, stack.enter_context(fronted(files, int(env["PORT"]))))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_speaks_both_versions_of_tls(site: Site, version: ssl.TLSVersion) -> None:
    trust = site.front.trust
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(
        cadata="".join(map(ssl.DER_cert_to_PEM_cert, trust.get_ca_certs(binary_form=True)))
    )
    context.minimum_version = context.maximum_version = version
    with site.front.connect(context) as connection:
        assert connection.version() == version.name.replace("_", ".")


def test_it_speaks_http_2(site: Site) -> None:
    site.front.trust.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with site.front.connect() as connection:
            assert connection.selected_alpn_protocol() == "h2"
            # GET, https and 200 have numbers of their own (RFC 7541, appendix A).
            path, host = b"/healthz", NAME.encode()
            block = (
                b"\x82\x87\x04" + bytes([len(path)]) + path + b"\x01" + bytes([len(host)]) + host
            )
            settings, headers = frame(4, 0, 0), frame(1, 5, 1, block)
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + headers)
            with connection.makefile("rb") as stream:
                found = dict(frames(stream))
    finally:
        site.front.trust.set_alpn_protocols(["http/1.1"])
    assert found[1][:1] == b"\x88"
    assert b'"ok"' in found[0]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def frames(stream: Any) -> Iterator[tuple[int, bytes]]:
    """Each frame's kind and payload, up to the end of the first answer."""
    while True:
        head = stream.read(9)
        kind, flags, number = head[3], head[4], int.from_bytes(head[5:], "big")
        yield kind, stream.read(int.from_bytes(head[:3], "big"))
        if number == 1 and flags & 1:
            return


def test_port_80_sends_to_https(site: Site) -> None:
    with site.front.client(scheme="http") as client:
        answer = client.get("/docs?a=b", headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{NAME}/docs?a=b")
    assert "Strict-Transport-Security" not in answer.headers


def test_a_forged_client_address_is_not_believed(site: Site) -> None:
    mark, real = "forged-address-1", "127.0.0.2"
    forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    with site.front.client(address=real) as client:
        answer = client.get(f"{API}/notes?q=hidden", headers={**forged, "X-Request-Id": mark})
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (401, mark)
    assert line_about(mark, site.app.operator.log)["client"] == real
    written = line_about(mark, (site.front.directory / "access.log").read_text)
    assert (written["path"], written["client"]) == (f"{API}/notes", real)
    assert "hidden" not in json.dumps(written)


def line_about(mark: str, log: Callable[[], str]) -> dict[str, Any]:
    """The one line about the request with this id; it is written after the answer."""
    for _ in range(50):
        lines = [line for line in log().splitlines() if mark in line]
        if lines:
            (line,) = lines
            return dict(json.loads(line))
        time.sleep(0.1)
    raise AssertionError(f"{mark} is in no line of the log")


@pytest.mark.parametrize(
    ("size", "status", "is_app"), [(MIB, 400, True), (MIB + 1, 413, True), (2 * MIB, 413, False)]
)
def test_the_app_refuses_what_is_too_large(
    site: Site, size: int, status: int, *, is_app: bool
) -> None:
    with site.front.client() as client:
        sent = {"Content-Type": "application/json"}
        answer = client.post(f"{API}/auth/register", content=b"x" * size, headers=sent)
    assert answer.status_code == status
    assert ("RateLimit" in answer.headers) == is_app
    problem(answer, status, f"{API}/auth/register")


def problem(answer: httpx.Response, status: int, instance: str = "/") -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert {"type", "title", "detail"} < set(found)
    expected = (status, status, instance, answer.headers["X-Request-Id"])
    assert (answer.status_code, *map(found.get, ("status", "instance", "request_id"))) == expected
    return found


def test_cookies_and_answers_are_for_https_only(site: Site) -> None:
    known = site.app.account()
    login = {"email": known["email"], "password": known["password"], "transport": "cookie"}
    with site.front.client() as client:
        answer = client.post(f"{API}/auth/login", json=login)
    assert answer.status_code == 200
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert "secure" in cookie.lower().split("; ")
    for name in SECURE:
        assert len(answer.headers.get_list(name)) == 1, name


def test_text_is_compressed_and_answers_are_not(site: Site) -> None:
    wants = {"Accept-Encoding": "gzip"}
    with site.front.client() as client:
        found = {
            path: client.get(path, headers=wants).headers.get("Content-Encoding")
            for path in ("/static/docs.js", "/static/docs.css", "/openapi.json")
        }
    assert found == {"/static/docs.js": "gzip", "/static/docs.css": "gzip", "/openapi.json": None}


def test_errors_of_its_own_are_problems(site: Site) -> None:
    with site.front.client() as client:
        own = client.get(f"{API}/notes")
        assert own.status_code == 401
        problem(client.get("/.problem"), 404, "/.problem")
        assert problem(client.request("TRACE", "/x"), 405, "/x")
    with site.front.connect() as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        raw = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b" 400 " in raw.split(b"\r\n", 1)[0]
    assert b"application/problem+json" in raw
    with fronted(site.files, free_port()) as front, front.client() as client:
        away = client.get("/api/v1/notes?a=b")
    assert problem(away, 502, "/api/v1/notes")["title"] == "Bad Gateway"
    headers = [{name: answer.headers[name] for name in SECURE} for answer in (own, away)]
    assert headers[0] == headers[1]


def test_an_app_that_cannot_be_reached_is_given_up(site: Site) -> None:
    with ExitStack() as stack:
        full = stack.enter_context(closing(socket.socket()))
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # With nobody to accept them, one fills the queue and the others wait for ever.
        for _ in range(4):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        front = stack.enter_context(fronted(site.files, full.getsockname()[1]))
        began = time.monotonic()
        with front.client() as client:
            problem(client.get("/x"), 504, "/x")
        assert time.monotonic() - began < 10


def test_another_instance_answers_for_one_that_is_away(site: Site) -> None:
    here = int(site.app.host.rpartition(":")[2])
    with fronted(site.files, free_port(), here) as front, front.client() as client:
        statuses = [
            client.post(f"{API}/auth/password/forgot", json={"email": fresh_email()}).status_code
            for _ in range(4)
        ]
    assert statuses == [202] * 4


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1), ("PATCH", 1)])
def test_a_post_or_patch_is_never_sent_twice(site: Site, method: str, times: int) -> None:
    seen: list[bytes] = []
    with ExitStack() as stack:
        ports = [stack.enter_context(_silent(seen)) for _ in range(2)]
        front = stack.enter_context(fronted(site.files, *ports))
        client = stack.enter_context(front.client())
        problem(client.request(method, "/x", content=b"{}" * (method != "GET")), 502, "/x")
    assert [line.split()[0].decode() for line in seen] == [method] * times


@contextmanager
def _silent(seen: list[bytes]) -> Iterator[int]:
    """An app that reads a request and then dies over it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    data = connection.recv(65536)
                    if data:
                        seen.append(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_the_manual_fills_in_everything(site: Site) -> None:
    text = (site.files / "nginx.conf").read_text()
    manual = (site.files.parent / "docs" / "production.md").read_text()
    (filled,) = re.findall(r"^envsubst '(.*)'", manual, re.MULTILINE)
    names = set(re.findall(r"\$\{(\w+)\}", text))
    assert set(filled.split()) == {f"${name}" for name in names}
    exports = " ".join(re.findall(r"^export (.*)", manual, re.MULTILINE))
    assert set(re.findall(r"([A-Z_]+)=", exports)) == names
    assert set(re.findall(r"^#   ([A-Z_, ]+?)  ", text, re.MULTILINE)) == names


def test_the_settings_for_kubernetes_start_the_app(site: Site) -> None:
    """With the keys of the example, which are none, they do not."""
    folder, operator = site.files / "kubernetes", site.app.operator
    (made,) = yaml.safe_load((folder / "kustomization.yaml").read_text())["configMapGenerator"]
    given = dict(literal.split("=", 1) for literal in made["literals"])
    given |= yaml.safe_load((folder / "secret.example.yaml").read_text())["stringData"]
    with operator.start(**given) as refused:
        assert refused.wait(30) == 78
    assert re.findall(r"^(\w+)=", refused.errors.read_text(), re.MULTILINE) == ["SECRET_KEYS"]
    with operator.start(**given | {"SECRET_KEYS": secrets.token_hex(32)}) as server:
        server.ready()


def test_every_query_of_the_dashboard_finds_its_metrics(site: Site) -> None:
    site.app.person().client.get(f"{API}/notes").expect(200)
    token = {"Authorization": f"Bearer {site.app.operator.metrics_token}"}
    exported: dict[str, set[str]] = {}
    for line in (
        site.app.anonymous.get("/metrics", headers=token).expect(200).body.decode().splitlines()
    ):
        sample = re.match(r"(\w+)(?:\{(.*)\})? \S+", line)
        if sample:
            exported.setdefault(sample[1], set()).update(re.findall(r'(\w+)="', sample[2] or ""))
    dashboard = json.loads((site.files / "grafana" / "dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) > 10
    for query in queries:
        names, labels = asked(query)
        assert names, query
        for name in names:
            assert name in exported, query
            # The collector adds the job.
            assert labels - {"job"} <= exported[name], query
    variables = [
        each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"
    ]
    assert [
        re.sub(r"label_values\((\w+), job\)", r"\1", each) in exported for each in variables
    ] == [True]


FUNCTIONS = {"sum", "rate", "histogram_quantile", "by", "or", "vector"}


def asked(query: str) -> tuple[set[str], set[str]]:
    """Names of metrics and of labels in a query, by taking away what else a query may hold."""
    labels = {
        name for group in re.findall(r"by \(([^)]*)\)", query) for name in re.findall(r"\w+", group)
    }
    labels |= {
        name
        for group in re.findall(r"\{([^}]*)\}", query)
        for name in re.findall(r"(\w+)\s*[=!]", group)
    }
    rest = re.sub(r"by \([^)]*\)|\{[^}]*\}|\[[^\]]*\]|[\d.]+", " ", query)
    return set(re.findall(r"[a-zA-Z_:]\w*", rest)) - FUNCTIONS, labels
