"""Chapters 3 to 5: who may do what, over every operation that the app documents."""

from __future__ import annotations

import secrets

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.documented import SOME, operations, owned
from scaffold.contract.checks.sessions import ME, browser_login, cookie, refused
from scaffold.contract.target import API, Target

FOREIGN: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
)


@check(3, "Whatever is not public wants a token, and a good one", "ASVS 8.2.1, OWASP API2:2023")
def access_anonymous(app: Target) -> None:
    private = [operation for operation in operations(app) if operation.is_private]
    true(len(private) > 15, f"only {len(private)} operations want a token")
    for operation in private:
        operation.send(app.anonymous, {}).problem("unauthenticated")
        refused(operation.send(app.client(secrets.token_urlsafe(32)), {}))


@check(3, "With a cookie, no unsafe operation is open to other sites", "ASVS 3.5.1")
def csrf_everywhere(app: Target) -> None:
    _, value, _ = cookie(browser_login(app, app.account()))
    unsafe = [each for each in operations(app) if each.is_private and each.is_unsafe]
    true(len(unsafe) > 10, f"only {len(unsafe)} unsafe operations")
    for operation in unsafe:
        for headers in FOREIGN:
            client = app.client(**app.cookie(value), **headers)
            operation.send(client, {}).problem("csrf")
    reader = app.client(**app.cookie(value), **{"Sec-Fetch-Site": "cross-site"})
    true(reader.get(ME).status == 200, "reading needs no proof")


@check(5, "An id of somebody else's opens nothing, by any method", "OWASP API1:2023, ASVS 8.2.2")
def access_foreign_ids(app: Target) -> None:
    victim, attacker = app.person(), app.person()
    theirs = owned(app, victim)
    note = f"{API}/notes/{theirs[f'{API}/notes/{{id}}']}"
    before = [victim.client.get(path).json() for path in (note, f"{API}/auth/sessions")]
    with_id = [operation for operation in operations(app) if "{id}" in operation.path]
    true(len(with_id) > 4, f"only {len(with_id)} operations with an id")
    for operation in with_id:
        identity = theirs.get(operation.path, SOME)
        answer = operation.send(attacker.client, {}, identity)
        answer.problem("forbidden" if operation.path.startswith(f"{API}/users/") else "not-found")
        operation.send(app.anonymous, {}, identity).problem("unauthenticated")
    after = [victim.client.get(path).json() for path in (note, f"{API}/auth/sessions")]
    equal(after, before, "what the victim has")


@check(3, "No answer with a token or about a person is kept by caches", "ASVS 14.3.2")
def access_no_store(app: Target) -> None:
    person = app.person()
    for operation in operations(app):
        answer = operation.send(person.client if operation.is_private else app.anonymous, [])
        equal(answer.header("Cache-Control"), "no-store", answer)
