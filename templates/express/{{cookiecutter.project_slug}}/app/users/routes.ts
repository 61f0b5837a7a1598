/** HTTP for people: oneself, and everyone for admins. */
import { clearing } from "../auth/sessions.ts";
import { paginate, readCursor } from "../cursors.ts";
import type { App } from "../index.ts";
import {
  AdminUserUpdate,
  PasswordConfirmation,
  User,
  UserList,
  UserQuery,
  UserUpdate,
} from "./schema.ts";
import { changeUser, listUsers, readUser, removeAccount, rename, showUser } from "./service.ts";

const PREFIX = "/api/v1/users";

export function initApp(app: App): void {
  initMe(app);
  initAdmin(app);
}

function initMe(app: App): void {
  const me = { path: `${PREFIX}/me`, tag: "users", access: "user" } as const;
  app.route(
    { ...me, method: "get", id: "readMe", summary: "Read myself", status: 200, result: User },
    async ({ user }) => ({ body: showUser(user) }),
  );
  app.route(
    {
      ...me,
      method: "patch",
      id: "updateMe",
      summary: "Change myself",
      status: 200,
      body: UserUpdate,
      result: User,
    },
    async ({ user, body }) => ({ body: showUser(await rename(app, user, body.name)) }),
  );
  app.route(
    {
      ...me,
      method: "delete",
      id: "deleteMe",
      summary: "Delete my account",
      status: 204,
      body: PasswordConfirmation,
    },
    async ({ user, body, response }) => {
      await removeAccount(app, user, body.password);
      return { headers: clearing(app, response) };
    },
  );
}

function initAdmin(app: App): void {
  const admin = { tag: "users", access: "admin", status: 200 } as const;
  app.route(
    {
      ...admin,
      method: "get",
      path: PREFIX,
      id: "listUsers",
      summary: "List users (admins)",
      query: UserQuery,
      result: UserList,
    },
    async ({ user, query }) => {
      const after = readCursor(app, user.id, query.cursor);
      const rows = await listUsers(app, { after, q: query.q, limit: query.limit });
      return paginate(app, user.id, PREFIX, query, rows, showUser);
    },
  );
  const one = { ...admin, path: `${PREFIX}/{id}` } as const;
  app.route(
    { ...one, method: "get", id: "readUser", summary: "Read a user (admins)", result: User },
    async ({ id }) => ({ body: showUser(await readUser(app, id)) }),
  );
  app.route(
    {
      ...one,
      method: "patch",
      id: "updateUser",
      summary: "Change a user (admins)",
      body: AdminUserUpdate,
      result: User,
      problems: [409],
    },
    async ({ user, id, body }) => ({ body: showUser(await changeUser(app, user, id, body)) }),
  );
}
