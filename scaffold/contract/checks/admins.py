"""Chapter 4: what admins may do, and nobody else."""

from __future__ import annotations

from scaffold.contract.checks import check, equal, true
from scaffold.contract.checks.sessions import refused
from scaffold.contract.target import API, Target, fresh_password

USERS = f"{API}/users"
SOME = "00000000-0000-7000-8000-000000000000"


@check(4, "Only admins reach other people", "OWASP API5:2023, ASVS 8.2.1")
def admin_only(app: Target) -> None:
    victim, person = app.person(), app.person()
    for path in (USERS, f"{USERS}/{victim.id}", f"{USERS}/{person.id}", f"{USERS}/{SOME}"):
        app.anonymous.get(path).problem("unauthenticated")
        person.client.get(path).problem("forbidden")
    for identity in (victim.id, person.id, SOME):
        change = person.client.patch(f"{USERS}/{identity}", {"role": "admin"})
        change.problem("forbidden")
    equal(person.client.get(f"{USERS}/me").json()["role"], "user", "role")


@check(4, "An admin reads people, and only there is nothing where nobody is")
def admin_reads(app: Target) -> None:
    admin, person = app.admin(), app.person("Readable")
    found = admin.client.get(f"{USERS}/{person.id}").expect(200)
    equal(found.json(), person.user, "user")
    for identity in (SOME, "1", "me2", "%00", f"{person.id}x", "' OR 1=1 --".replace(" ", "%20")):
        admin.client.get(f"{USERS}/{identity}").problem("not-found")


@check(4, "An admin pages through people without gaps, newest first")
def admin_pages(app: Target) -> None:
    admin = app.admin()
    mark = f"Mark{fresh_password()[:8]}"
    people = [app.account(mark)["email"] for _ in range(5)]
    seen: list[str] = []
    path = f"{USERS}?q={mark}&limit=2"
    while path and len(seen) < 2 * len(people):
        answer = admin.client.get(path).expect(200)
        true(len(answer.json()["items"]) <= 2, answer)
        seen += [user["email"] for user in answer.json()["items"]]
        path = answer.json()["next"]
        expected = f'<{app.operator.public_url}{path}>; rel="next"' if path else None
        equal(answer.header("Link"), expected, answer)
    equal(seen, people[::-1], "people in pages of two")


@check(4, "Search finds names and addresses, and takes wildcards literally")
def admin_search(app: Target) -> None:
    admin = app.admin()
    mark = fresh_password()[:10]
    person = app.account(f"{mark} 100%_\\")
    for query in (mark.upper(), f"{mark}%20100%25_%5C", person["email"][:14].upper()):
        items = admin.client.get(f"{USERS}?q={query}").expect(200).json()["items"]
        equal([user["email"] for user in items], [person["email"]], query)
    for query in (f"{mark}%25", f"{mark}_100", f"{mark}%25100", "%25%25%25"):
        items = admin.client.get(f"{USERS}?q={query}").expect(200).json()["items"]
        true(person["email"] not in [user["email"] for user in items], query)


@check(4, "Disabling ends the sessions and the log-ins at once", "ASVS 7.4.2, 7.4.5")
def admin_disables(app: Target) -> None:
    admin, person = app.admin(), app.person()
    path = f"{USERS}/{person.id}"
    changed = admin.client.patch(path, {"disabled": True}).expect(200).json()
    true(changed["disabled"] is True, changed)
    refused(person.client.get(f"{USERS}/me"))
    app.anonymous.post(f"{API}/auth/login", person.login).problem("invalid-credentials")
    admin.client.patch(path, {"disabled": False}).expect(200)
    refused(person.client.get(f"{USERS}/me"))
    app.enter(person.email, person.password)


@check(4, "A new role counts from the next request", "ASVS 8.3.2")
def admin_role(app: Target) -> None:
    admin, person = app.admin(), app.person()
    path = f"{USERS}/{person.id}"
    admin.client.patch(path, {"role": "admin"}).expect(200)
    again = app.enter(person.email, person.password)
    again.client.get(USERS).expect(200)
    admin.client.patch(path, {"role": "user"}).expect(200)
    true(again.client.get(USERS).status in {401, 403}, "a demoted admin still lists people")


@check(4, "An admin can neither demote nor disable himself", "ASVS 2.3.2")
def admin_himself(app: Target) -> None:
    admin = app.admin()
    path = f"{USERS}/{admin.id}"
    for change in ({"role": "user"}, {"disabled": True}):
        admin.client.patch(path, change).problem("conflict")
    admin.client.get(USERS).expect(200)


@check(4, "An admin changes role and disabled, nothing else", "OWASP API3:2023, ASVS 8.2.3, 15.3.3")
def admin_mass_assignment(app: Target) -> None:
    admin, person = app.admin(), app.person()
    path = f"{USERS}/{person.id}"
    for field in ("email", "name", "password", "password_hash", "id", "email_verified"):
        equal(admin.client.patch(path, {field: "x"}).pointers(), [f"#/{field}"], field)
    equal(admin.client.patch(path, {"role": "root"}).pointers(), ["#/role"], "role")
    for value in ("true", 1, None, "x"):
        answer = admin.client.patch(path, {"disabled": value})
        equal(answer.json().get("errors", [{}])[0].get("detail"), "must be a boolean", value)
    admin.client.patch(f"{USERS}/{SOME}", {"disabled": True}).problem("not-found")


@check(4, "An admin has no back door to notes", "OWASP API1:2023, ASVS 8.2.2")
def admin_no_back_door(app: Target) -> None:
    admin, person = app.admin(), app.person()
    path = f"{API}/notes/{app.note(person)['id']}"
    admin.client.get(path).problem("not-found")
    change = {"If-Match": '"1"'}
    admin.client.patch(path, {"title": "mine"}, headers=change).problem("not-found")
    admin.client.delete(path).problem("not-found")
    equal(admin.client.get(f"{API}/notes").json()["items"], [], "an admin's notes")
