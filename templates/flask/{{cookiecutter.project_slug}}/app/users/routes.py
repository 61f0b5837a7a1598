"""HTTP for people: oneself, and everyone for admins."""

from app import cursors
from app.api import Answer, Call, Routes
from app.auth import sessions
from app.cursors import PageQuery
from app.users import service
from app.users.schema import AdminUserUpdate, PasswordConfirmation, User, UserList, UserUpdate

routes = Routes("users")
BASE = "/api/v1/users"


@routes.add("GET", f"{BASE}/me", "readMe", "Read myself", answer=User)
def read_me(call: Call) -> Answer:
    return Answer(service.find(call.viewer.user_id))


@routes.add("PATCH", f"{BASE}/me", "updateMe", "Change myself", body=UserUpdate, answer=User)
def update_me(call: Call, wanted: UserUpdate) -> Answer:
    if "name" not in wanted.model_fields_set:
        return read_me(call)
    return Answer(service.rename(call.viewer.user_id, wanted.name))


@routes.add(
    "DELETE", f"{BASE}/me", "deleteMe", "Delete my account", body=PasswordConfirmation, status=204
)
def delete_me(call: Call, wanted: PasswordConfirmation) -> Answer:
    service.delete_me(call.viewer.user_id, call.viewer.email, wanted.password)
    return Answer(headers=sessions.take_cookie(call.viewer))


@routes.add(
    "GET",
    BASE,
    "listUsers",
    "List users (admins)",
    access="admin",
    query=PageQuery,
    answer=UserList,
)
def list_users(call: Call, query: PageQuery) -> Answer:
    items = service.listed(query, call.viewer.user_id)
    return cursors.page(BASE, query, items, call.viewer.user_id)


@routes.add("GET", BASE + "/{id}", "readUser", "Read a user (admins)", access="admin", answer=User)
def read_user(_call: Call, user_id: str) -> Answer:
    return Answer(service.find(user_id))


@routes.add(
    "PATCH",
    BASE + "/{id}",
    "updateUser",
    "Change a user (admins)",
    access="admin",
    body=AdminUserUpdate,
    answer=User,
    problems=(409,),
)
def update_user(call: Call, user_id: str, wanted: AdminUserUpdate) -> Answer:
    return Answer(service.change(user_id, wanted, call.viewer.user_id))
