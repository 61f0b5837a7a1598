"""People: oneself and admins."""

import pytest

from tests.person import ME, PASSWORD, Person, assert_invalid, assert_problem

USERS = "/api/v1/users"


def path_of(person: Person) -> str:
    return f"{USERS}/{person.get(ME).body['id']}"


def test_me_can_be_read_and_renamed(ada: Person) -> None:
    before = ada.get(ME).body
    assert (before["email"], before["name"], before["role"]) == (ada.email, "Ada", "user")
    renamed = ada.patch(ME, {"name": "Ada Lovelace"})
    assert renamed.status == 200
    assert renamed.body["name"] == "Ada Lovelace"
    assert renamed.body["updated_at"] > before["updated_at"]
    assert ada.get(ME).body == renamed.body


def test_me_can_be_deleted_with_the_password(ada: Person) -> None:
    wrong = ada.delete(ME, {"password": "not-the-password"})
    assert_problem(wrong, 401, "invalid-credentials")
    assert ada.delete(ME, {"password": PASSWORD}).status == 204
    assert_problem(ada.get(ME), 401, "unauthenticated")
    assert_problem(Person(ada.app).login(ada.email), 401, "invalid-credentials")


def test_role_cannot_be_set_by_oneself(anyone: Person, ada: Person) -> None:
    refused = {"#/role": "is not allowed"}
    assert_invalid(ada.patch(ME, {"role": "admin"}), refused)
    assert_invalid(anyone.register("Eve", role="admin"), refused)
    assert ada.get(ME).body["role"] == "user"


def test_only_admins_list_users(anyone: Person, ada: Person, admin: Person) -> None:
    assert_problem(anyone.get(USERS), 401, "unauthenticated")
    assert_problem(ada.get(USERS), 403, "forbidden")
    assert_problem(ada.get(path_of(ada)), 403, "forbidden")
    assert_problem(ada.patch(path_of(ada), {"role": "admin"}), 403, "forbidden")
    assert admin.get(path_of(ada)).body["email"] == ada.email
    assert {user["name"] for user in admin.get(USERS).body["items"]} == {"Ada", "Grace"}


def test_an_admin_pages_through_users(admin: Person) -> None:
    for name in ("Reader1", "Reader2", "Reader3", "Other", "Reader4", "Reader5"):
        assert Person(admin.app).register(name).status == 202
    path, pages = f"{USERS}?q=READER&limit=2", []
    while path:
        answer = admin.get(path)
        pages.append([user["name"] for user in answer.body["items"]])
        path = answer.body["next"]
        link = f'<http://localhost:8000{path}>; rel="next"' if path else None
        assert answer.headers.get("Link") == link
    assert pages == [["Reader5", "Reader4"], ["Reader3", "Reader2"], ["Reader1"]]


def test_disabling_a_user_ends_the_sessions(admin: Person, ada: Person) -> None:
    path = path_of(ada)
    disabled = admin.patch(path, {"disabled": True})
    assert disabled.status == 200
    assert disabled.body["disabled"] is True
    assert_problem(ada.get(ME), 401, "unauthenticated")
    assert admin.patch(path, {"disabled": False}).status == 200
    assert_problem(ada.get(ME), 401, "unauthenticated")
    assert ada.again().get(ME).status == 200


@pytest.mark.parametrize("change", [{"role": "user"}, {"disabled": True}])
def test_an_admin_cannot_demote_oneself(admin: Person, change: dict[str, object]) -> None:
    assert_problem(admin.patch(path_of(admin), change), 409, "conflict")
    assert admin.get(USERS).status == 200
