"""Chapter 7: other origins are allowed by name only."""

from __future__ import annotations

from scaffold.contract.checks import check, equal, true
from scaffold.contract.target import API, Target

EXPOSED = "ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization,content-type,if-match",
}


@check(7, "An allowed origin may read answers and send credentials", "Fetch standard")
def cors_allowed(app: Target) -> None:
    friend = app.operator.cors_origin
    client = app.client(Origin=friend)
    for path in ("/healthz", f"{API}/notes", "/nope"):
        answer = client.get(path)
        equal(answer.header("Access-Control-Allow-Origin"), friend, answer)
        equal(answer.header("Access-Control-Allow-Credentials"), "true", answer)
        equal(answer.header("Access-Control-Expose-Headers"), EXPOSED, answer)


@check(7, "A foreign origin gets nothing", "ASVS 3.4.2")
def cors_foreign(app: Target) -> None:
    gets_nothing(app, "https://evil.example", "null")


@check(7, "An origin that only looks like an allowed one gets nothing", "ASVS 3.4.2")
def cors_similar(app: Target) -> None:
    friend = app.operator.cors_origin
    other = friend.replace("https", "http") if friend[:5] == "https" else f"https{friend[4:]}"
    near = (f"{friend}.evil.example", f"{friend}:444", f"{friend}/", friend.upper(), other)
    gets_nothing(app, *near)


def gets_nothing(app: Target, *origins: str) -> None:
    for origin in origins:
        for method, more in (("GET", {}), ("OPTIONS", PREFLIGHT)):
            client = app.client(Origin=origin, **more)
            answer = client.request(method, f"{API}/notes").expect(401 if method == "GET" else 204)
            names = [name for name, _ in answer.headers if name.lower().startswith("access-c")]
            equal(names, [], f"{origin}: {answer}")


@check(7, "Caches keep answers for different origins apart", "RFC 9110 12.5.5")
def cors_vary(app: Target) -> None:
    for headers in ({}, {"Origin": app.operator.cors_origin}, {"Origin": "https://evil.example"}):
        for path in ("/healthz", f"{API}/notes", "/nope"):
            answer = app.client(**headers).get(path)
            vary = ",".join(answer.all("Vary")).lower()
            true("origin" in [part.strip() for part in vary.split(",")], f"{answer}: Vary {vary}")


@check(7, "A preflight is answered with what is allowed, and cached", "Fetch standard")
def cors_preflight(app: Target) -> None:
    friend = app.operator.cors_origin
    client = app.client(Origin=friend, **PREFLIGHT)
    for path in (f"{API}/notes", f"{API}/users/me"):
        answer = client.request("OPTIONS", path).expect(204)
        wanted = {
            "Access-Control-Allow-Origin": friend,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
            "Access-Control-Allow-Headers": (
                "Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id"
            ),
            "Access-Control-Max-Age": "600",
        }
        equal({name: answer.header(name) for name in wanted}, wanted, answer)


@check(7, "Without allowed origins no answer speaks of CORS", "Fetch standard")
def cors_off(app: Target) -> None:
    other = app.operator.boot(CORS_ORIGINS="")
    for origin in (app.operator.cors_origin, other.operator.public_url, "null"):
        answer = other.client(Origin=origin).get("/healthz").expect(200)
        names = [name for name, _ in answer.headers if name.lower().startswith("access-c")]
        equal(names, [], answer)
