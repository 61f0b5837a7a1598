/** HTTP for accounts and sessions. */
import type { Request, Response } from "express";
import type { Answer } from "../api.ts";
import type { App } from "../index.ts";
import { locals } from "../locals.ts";
import { PasswordConfirmation } from "../users/schema.ts";
import { showUser } from "../users/service.ts";
import * as credentials from "./credentials.ts";
import type { Session as StoredSession } from "./model.ts";
import {
  Accepted,
  EmailAddress,
  Login,
  LoginResult,
  PasswordChange,
  PasswordReset,
  Register,
  SessionList,
  TotpConfirm,
  TotpConfirmed,
  TotpSetup,
  VerifyEmail,
} from "./schema.ts";
import { endOtherSessions, endSession, logIn, logOut, register } from "./service.ts";
import { clearing, cookie, type Device, type LoggedIn, list } from "./sessions.ts";
import * as totp from "./totp.ts";

const PREFIX = "/api/v1/auth";
const OPEN = { method: "post", tag: "auth", access: "anyone" } as const;
const MINE = { tag: "auth", access: "user" } as const;
const ACCEPTED = { status: "accepted" };

export function initApp(app: App): void {
  initAccounts(app);
  initSessions(app);
  initAddresses(app);
  initPasswords(app);
  initTotp(app);
}

function initAccounts(app: App): void {
  app.route(
    {
      ...OPEN,
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
      return { body: ACCEPTED };
    },
  );
  app.route(
    {
      ...OPEN,
      path: `${PREFIX}/login`,
      id: "login",
      summary: "Log in",
      status: 200,
      body: Login,
      result: LoginResult,
      problems: [401, 403, 503],
    },
    async ({ body, request, response }) => {
      const done = await logIn(app, body, deviceOf(request, response));
      return handOver(app, done, body.transport === "cookie");
    },
  );
}

function initSessions(app: App): void {
  app.route(
    {
      ...MINE,
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
      ...MINE,
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
      ...MINE,
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
      ...MINE,
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

function initAddresses(app: App): void {
  app.route(
    {
      ...OPEN,
      path: `${PREFIX}/verify-email`,
      id: "verifyEmail",
      summary: "Confirm my address",
      status: 204,
      body: VerifyEmail,
      problems: [503],
    },
    async ({ body }) => {
      await credentials.verify(app, body.token);
      return {};
    },
  );
  app.route(
    {
      ...OPEN,
      path: `${PREFIX}/verify-email/resend`,
      id: "resendVerification",
      summary: "Send the confirmation again",
      status: 202,
      body: EmailAddress,
      result: Accepted,
      problems: [503],
    },
    async ({ body }) => {
      credentials.resend(app, body.email);
      return { body: ACCEPTED };
    },
  );
}

function initPasswords(app: App): void {
  app.route(
    {
      ...OPEN,
      path: `${PREFIX}/password/forgot`,
      id: "forgotPassword",
      summary: "Ask for a password reset",
      status: 202,
      body: EmailAddress,
      result: Accepted,
      problems: [503],
    },
    async ({ body }) => {
      credentials.forgot(app, body.email);
      return { body: ACCEPTED };
    },
  );
  app.route(
    {
      ...OPEN,
      path: `${PREFIX}/password/reset`,
      id: "resetPassword",
      summary: "Set a new password with a token",
      status: 204,
      body: PasswordReset,
      problems: [503],
    },
    async ({ body }) => {
      await credentials.reset(app, body.token, body.password);
      return {};
    },
  );
  app.route(
    {
      ...MINE,
      method: "post",
      path: `${PREFIX}/password/change`,
      id: "changePassword",
      summary: "Change my password",
      status: 200,
      body: PasswordChange,
      result: LoginResult,
    },
    async ({ user, body, request, response }) => {
      const done = await credentials.change(app, user, body, deviceOf(request, response));
      return handOver(app, done, usesCookie(response));
    },
  );
}

function initTotp(app: App): void {
  const factor = { ...MINE, status: 200, problems: [409] } as const;
  app.route(
    {
      ...factor,
      method: "post",
      path: `${PREFIX}/totp`,
      id: "beginTotp",
      summary: "Begin a second factor",
      body: PasswordConfirmation,
      result: TotpSetup,
    },
    async ({ user, body }) => ({ body: await totp.begin(app, user, body.password) }),
  );
  app.route(
    {
      ...factor,
      method: "post",
      path: `${PREFIX}/totp/confirm`,
      id: "confirmTotp",
      summary: "Switch the second factor on",
      body: TotpConfirm,
      result: TotpConfirmed,
    },
    async ({ user, body, request, response }) => {
      const done = await totp.confirm(app, user, body.code, deviceOf(request, response));
      return handOver(app, done, usesCookie(response), { recovery_codes: done.codes });
    },
  );
  app.route(
    {
      ...factor,
      method: "delete",
      path: `${PREFIX}/totp`,
      id: "endTotp",
      summary: "Switch the second factor off",
      body: PasswordConfirmation,
      result: LoginResult,
    },
    async ({ user, body, request, response }) => {
      const done = await totp.end(app, user, body.password, deviceOf(request, response));
      return handOver(app, done, usesCookie(response));
    },
  );
}

function deviceOf(request: Request, response: Response): Device {
  const { client, visitor } = locals(response);
  return { userAgent: request.headers["user-agent"], client, session: visitor?.session ?? null };
}

function usesCookie(response: Response): boolean {
  return locals(response).visitor?.isCookie === true;
}

/** The answer that carries a new token: in the cookie, or in the body. */
function handOver(app: App, done: LoggedIn, inCookie: boolean, more: object = {}): Answer {
  const { token, session, user } = done;
  const rest = { ...more, expires_at: session.expires_at, user: showUser(user) };
  return inCookie
    ? { body: rest, headers: { "Set-Cookie": cookie(app, token) } }
    : { body: { token, ...rest } };
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
