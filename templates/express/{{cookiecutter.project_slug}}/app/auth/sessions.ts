/** Opaque session tokens: made, checked, ended. */
import { hash, randomBytes } from "node:crypto";
import type { NextFunction, Request, Response } from "express";
import { type EntityManager, LessThan } from "typeorm";
import { shown, stored } from "../columns.ts";
import { insert } from "../db.ts";
import { DAY, microsOf, newId, now, timestamp } from "../ids.ts";
import type { App } from "../index.ts";
import { locals } from "../locals.ts";
import { note } from "../logs.ts";
import { type Session, Sessions, type User } from "./model.ts";

const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const MINUTE = 60_000_000;

/** What has to be known of the session that a request comes with. */
export type LiveSession = Pick<Session, "id" | "last_seen_at" | "expires_at">;

export interface Visitor {
  user: User;
  session: LiveSession;
  isCookie: boolean;
}

export function initApp(app: App): void {
  app.express.use(async (request: Request, response: Response, next: NextFunction) => {
    const sent = tokenOf(app, request);
    const known = locals(response);
    known.visitor = sent && !isProbe(request) ? await find(app, sent.token, sent.isCookie) : null;
    if (known.visitor) {
      note({ user_id: known.visitor.user.id });
    }
    known.tokenRefused = sent !== null && known.visitor === null;
    next();
  });
}

function isProbe(request: Request): boolean {
  return ["/healthz", "/readyz", "/metrics"].includes(request.path);
}

function tokenOf(app: App, request: Request): { token: string; isCookie: boolean } | null {
  const bearer = /^Bearer(?: (.*))?$/i.exec(request.headers.authorization ?? "");
  if (bearer) {
    return { token: (bearer[1] ?? "").trim(), isCookie: false };
  }
  const name = cookieName(app);
  for (const pair of (request.headers.cookie ?? "").split(";")) {
    const [key, ...value] = pair.trim().split("=");
    if (key === name) {
      return { token: value.join("="), isCookie: true };
    }
  }
  return null;
}

async function find(app: App, token: string, isCookie: boolean): Promise<Visitor | null> {
  if (!TOKEN.test(token)) {
    return null;
  }
  const time = now();
  const [row] = (await app.db.read(FIND, [hashOf(token)])) as Row[];
  if (!row) {
    return null;
  }
  const visitor = { ...fromRow(row), isCookie };
  if (visitor.user.disabled || isOver(app, visitor.session, time)) {
    return null;
  }
  await touch(app, visitor.session, time);
  return visitor;
}

// Not through the ORM: making the statement and the entities takes longer than the query.
const FIND = `SELECT s.id AS session_id, s.last_seen_at, s.expires_at,
u.id, u.email, u.email_normalized, u.name, u.password_hash, u.role,
u.disabled, u.email_verified_at, u.totp_secret, u.totp_confirmed_at,
u.totp_last_step, u.created_at, u.updated_at
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ?`;

type Row = Omit<User, "disabled"> &
  Omit<LiveSession, "id"> & { session_id: string; disabled: boolean | number };

function fromRow({
  session_id,
  last_seen_at,
  expires_at,
  ...user
}: Row): Pick<Visitor, "user" | "session"> {
  return {
    session: { id: session_id, last_seen_at: shown(last_seen_at), expires_at: shown(expires_at) },
    user: {
      ...user,
      disabled: Boolean(user.disabled),
      email_verified_at: user.email_verified_at && shown(user.email_verified_at),
      totp_confirmed_at: user.totp_confirmed_at && shown(user.totp_confirmed_at),
      created_at: shown(user.created_at),
      updated_at: shown(user.updated_at),
    },
  };
}

function isOver(app: App, session: LiveSession, time: number): boolean {
  const idleEnd = microsOf(session.last_seen_at) + app.config.sessionIdleDays * DAY;
  // Asked so that what is no time is over too.
  return !(time < microsOf(session.expires_at) && time < idleEnd);
}

/** At most once a minute, so that reading stays reading. */
async function touch(app: App, session: LiveSession, time: number): Promise<void> {
  if (time - microsOf(session.last_seen_at) < MINUTE) {
    return;
  }
  await app.db.run((manager) =>
    manager.update(Sessions, { id: session.id }, { last_seen_at: timestamp(time) }),
  );
}

/** Who asks for a session. */
export interface Device {
  userAgent: string | undefined;
  client: string;
  /** The live session it sent along. */
  session: LiveSession | null;
}

export interface LoggedIn {
  token: string;
  session: Session;
  user: User;
}

/** A fresh session; the token exists only in this answer. */
export async function begin(
  app: App,
  manager: EntityManager,
  user: User,
  { userAgent, client }: Device,
): Promise<LoggedIn> {
  const token = randomBytes(32).toString("base64url");
  const time = now();
  const session: Session = {
    id: newId(),
    user_id: user.id,
    token_hash: hashOf(token),
    user_agent: userAgent === undefined ? null : cut(userAgent),
    client_address: client === "" ? null : client.slice(0, 45),
    created_at: timestamp(time),
    last_seen_at: timestamp(time),
    expires_at: timestamp(time + app.config.sessionMaxDays * DAY),
  };
  const expired = { user_id: user.id, expires_at: LessThan(timestamp(time)) };
  await manager.delete(Sessions, expired);
  await insert(manager, Sessions, session);
  return { token, session, user };
}

/** Ends every session of the user, then begins one. */
export async function renew(
  app: App,
  manager: EntityManager,
  user: User,
  device: Device,
): Promise<LoggedIn> {
  await manager.delete(Sessions, { user_id: user.id });
  return begin(app, manager, user, device);
}

/** Headers arrive as Latin-1; what is not printable is of no use in a list. */
function cut(userAgent: string): string {
  return userAgent.replace(/[^\x20-\x7e\xa0-\xff]/g, "?").slice(0, 255);
}

/** Whether it has not been ended meanwhile. */
export async function isThere(
  manager: EntityManager,
  session: LiveSession | null,
): Promise<boolean> {
  return session !== null && (await manager.countBy(Sessions, { id: session.id })) > 0;
}

export async function list(app: App, userId: string): Promise<Session[]> {
  const time = now();
  const rows = await app.db.run((manager) =>
    manager
      .createQueryBuilder(Sessions, "session")
      .where("session.user_id = :userId", { userId })
      .andWhere("session.expires_at > :now", { now: stored(timestamp(time)) })
      .orderBy("session.id", "DESC")
      .getMany(),
  );
  return rows.filter((session) => !isOver(app, session, time));
}

/** As a token is stored: one that was read there cannot be sent. */
export function hashOf(token: string): string {
  return hash("sha256", token);
}

function cookieName(app: App): string {
  return app.isHttps ? "__Host-session" : "session";
}

/** Takes the cookie back from a browser that came with one. */
export function clearing(app: App, response: Response): Record<string, string> {
  return locals(response).visitor?.isCookie ? { "Set-Cookie": cookie(app, null) } : {};
}

/** The Set-Cookie that hands over a token, or takes it back when there is none. */
export function cookie(app: App, token: string | null): string {
  const age = token === null ? 0 : app.config.sessionMaxDays * 86_400;
  const rest = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${age}${app.isHttps ? "; Secure" : ""}`;
  return `${cookieName(app)}=${token ?? ""}; ${rest}`;
}
