/** HTTP for accounts and sessions. */
import type { App } from "../index.ts";
import { locals } from "../locals.ts";
import { showUser } from "../users/service.ts";
import type { Session as StoredSession } from "./model.ts";
import { Accepted, Login, LoginResult, Register, SessionList } from "./schema.ts";
import { authenticate, endOtherSessions, endSession, logOut, register } from "./service.ts";
import { begin, clearing, cookie, list } from "./sessions.ts";

const PREFIX = "/api/v1/auth";

export function initApp(app: App): void {
  initAccounts(app);
  initSessions(app);
}

function initAccounts(app: App): void {
  const open = { method: "post", tag: "auth", access: "anyone" } as const;
  app.route(
    {
      ...open,
      path: `${PREFIX}/register`,
      id: "register",
      summary: "Register an account",
      status: 202,
      body: Register,
      result: Accepted,
      problems: [503],
    },
    async ({ body }) => {
      await register(app, body);
      return { body: { status: "accepted" } };
    },
  );
  app.route(
    {
      ...open,
      path: `${PREFIX}/login`,
      id: "login",
      summary: "Log in",
      status: 200,
      body: Login,
      result: LoginResult,
      problems: [401, 403, 503],
    },
    async ({ body, request, response }) => {
      const user = await authenticate(app, body.email, body.password);
      const agent = request.headers["user-agent"];
      const { token, session } = await begin(app, user, agent, locals(response).client);
      app.record("login", { user_id: user.id });
      const rest = { expires_at: session.expires_at, user: showUser(user) };
      return body.transport === "cookie"
        ? { body: rest, headers: { "Set-Cookie": cookie(app, token) } }
        : { body: { token, ...rest } };
    },
  );
}

function initSessions(app: App): void {
  const mine = { tag: "auth", access: "user" } as const;
  app.route(
    {
      ...mine,
      method: "post",
      path: `${PREFIX}/logout`,
      id: "logout",
      summary: "End this session",
      status: 204,
    },
    async ({ user, session, response }) => {
      await logOut(app, user, session);
      return { headers: clearing(app, response) };
    },
  );
  app.route(
    {
      ...mine,
      method: "get",
      path: `${PREFIX}/sessions`,
      id: "listSessions",
      summary: "List my sessions",
      status: 200,
      result: SessionList,
    },
    async ({ user, session }) => {
      const sessions = await list(app, user.id);
      return { body: { items: sessions.map((row) => showSession(row, session.id)) } };
    },
  );
  app.route(
    {
      ...mine,
      method: "delete",
      path: `${PREFIX}/sessions`,
      id: "endOtherSessions",
      summary: "End all other sessions",
      status: 204,
    },
    async ({ user, session }) => {
      await endOtherSessions(app, user, session);
      return {};
    },
  );
  app.route(
    {
      ...mine,
      method: "delete",
      path: `${PREFIX}/sessions/{id}`,
      id: "endSession",
      summary: "End one session",
      status: 204,
    },
    async ({ user, id }) => {
      await endSession(app, user, id);
      return {};
    },
  );
}

function showSession(session: StoredSession, current: string) {
  return {
    id: session.id,
    user_agent: session.user_agent,
    client_address: session.client_address,
    created_at: session.created_at,
    last_seen_at: session.last_seen_at,
    expires_at: session.expires_at,
    current: session.id === current,
  };
}
