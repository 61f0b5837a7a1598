"""Chapter 4: people and their own account."""

from __future__ import annotations

from scaffold.contract.checks import check, equal
from scaffold.contract.checks.sessions import refused
from scaffold.contract.target import API, Target

ME = f"{API}/users/me"


@check(4, "I can read myself, without secrets", "ASVS 15.3.1")
def me_read(app: Target) -> None:
    person = app.person("Ada Lovelace")
    found = person.client.get(ME).expect(200).json()
    wanted: dict[str, object] = {"email": person.email, "name": "Ada Lovelace", "role": "user"}
    wanted |= {"email_verified": False, "totp_enabled": False, "disabled": False}
    equal({key: found[key] for key in wanted}, wanted, "me")
    equal(len(found), 9, "number of members")


@check(4, "I can be renamed, and an empty change changes nothing", "RFC 7396")
def me_renamed(app: Target) -> None:
    person = app.person("Before")
    changed = person.client.patch(ME, {"name": "Zoë 🜁"}).expect(200).json()
    equal(changed["name"], "Zoë 🜁", "name")
    same = person.client.patch(ME, {}).expect(200).json()
    equal(same["name"], "Zoë 🜁", "name after {}")
    equal(person.client.get(ME).expect(200).json()["name"], "Zoë 🜁", "name read again")


@check(4, "Nobody promotes, enables or renumbers himself", "OWASP API3:2023, ASVS 8.2.3, 15.3.3")
def me_mass_assignment(app: Target) -> None:
    person = app.person()
    for field, value in (
        ("role", "admin"),
        ("disabled", True),
        ("email_verified", True),
        ("totp_enabled", True),
        ("email", "other@example.com"),
        ("id", person.id),
        ("password", "x" * 20),
        ("password_hash", "x"),
        ("created_at", "2020-01-01T00:00:00.000000Z"),
        ("__proto__", {"role": "admin"}),
        ("constructor", {}),
    ):
        equal(person.client.patch(ME, {field: value}).pointers(), [f"#/{field}"], field)
    equal(person.client.get(ME).expect(200).json(), person.user, "me")


@check(4, "Names have 1 to 100 code points")
def me_name_length(app: Target) -> None:
    person = app.person()
    for name in ("", "x" * 101, "🜁" * 101):
        equal(person.client.patch(ME, {"name": name}).pointers(), ["#/name"], len(name))
    for name in ("🜁" * 100, "x"):
        equal(person.client.patch(ME, {"name": name}).expect(200).json()["name"], name, "name")
    for strange in (None, 7, True, ["x"], {"x": 1}):
        answer = person.client.patch(ME, {"name": strange})
        equal(answer.pointers(), ["#/name"], strange)
        equal(answer.json()["errors"][0]["detail"], "must be a string", strange)


@check(4, "Deleting myself wants the password")
def me_delete_password(app: Target) -> None:
    person = app.person()
    person.client.delete(ME).problem("unsupported-media-type")
    person.client.delete(ME, body=b"").problem("malformed-json")
    equal(person.client.delete(ME, {}).pointers(), ["#/password"], "no password")
    person.client.delete(ME, {"password": "wrong"}).problem("invalid-credentials")
    person.client.get(ME).expect(200)


@check(4, "A deleted account is gone with its sessions and notes", "ASVS 7.4.2")
def me_deleted(app: Target) -> None:
    person = app.person()
    other = app.enter(person.email, person.password)
    app.note(person, tags=["x"])
    person.client.delete(ME, {"password": person.password}).expect(204)
    for client in (person.client, other.client):
        refused(client.get(ME))
    app.anonymous.post(f"{API}/auth/login", person.login).problem("invalid-credentials")
    for table, column in (("users", "id"), ("notes", "user_id"), ("sessions", "user_id")):
        statement = f"SELECT count(*) FROM {table} WHERE {column} = ?"  # noqa: S608 (our names)
        equal(int(app.operator.sql(statement, person.id)[0][0]), 0, f"rows in {table}")
    again = {"email": person.email, "password": person.password, "name": "Again"}
    app.anonymous.post(f"{API}/auth/register", again).expect(202)
    equal(app.enter(person.email, person.password).user["name"], "Again", "new account")
