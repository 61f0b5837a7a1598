/** What the tests share: an app on an empty database, and people who use it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext } from "node:test";
import { type Role, Users } from "../app/auth/model.ts";
import { readConfig } from "../app/config.ts";
import type { Db } from "../app/db.ts";
import { type App, createApp } from "../app/index.ts";
import { createLog } from "../app/logs.ts";
import { migrate, openForMigrations } from "../app/migrations.ts";
import type { Traces } from "../app/traces.ts";
import { makeDatabase, removeUsers } from "./database.ts";
import { type Mail, readMails } from "./mailbox.ts";

export const PASSWORD = "quiet green lanterns";

const database = await makeDatabase();
after(database.remove);

const mails = mkdtempSync(join(tmpdir(), "mails-"));
after(() => rmSync(mails, { recursive: true, force: true }));

const DEFAULTS = {
  APP_ENV: "test",
  DATABASE_URL: database.url,
  LOG_LEVEL: "error",
  MAIL_URL: `file:${mails}`,
  RATE_LIMIT: "100000/minute",
  RATE_LIMIT_AUTH: "100000/minute",
  SECRET_KEYS: "for-tests-only-and-at-least-32-bytes-long",
};

export type Settings = Record<string, string>;
type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  body: Json;
}

export function environment(settings: Settings = {}): Settings {
  return { ...DEFAULTS, ...settings };
}

/** The database of the tests, migrated; it is closed when the test ends. */
export async function openDb(t: TestContext): Promise<Db> {
  const db = await openMigrated();
  t.after(() => db.close());
  return db;
}

async function openMigrated(): Promise<Db> {
  const db = await openForMigrations(readConfig(environment()));
  await migrate(db);
  return db;
}

/** An app with nobody in it, listening on a free port until the test ends. */
export async function start(
  t: TestContext,
  settings: Settings = {},
  traces: Traces | null = null,
): Promise<Client> {
  const db = await openMigrated();
  await removeUsers(db);
  const own = mkdtempSync(join(mails, "app-"));
  const config = readConfig(environment({ MAIL_URL: `file:${own}`, ...settings }));
  const app = createApp(config, db, createLog(config), traces);
  const server = createServer(app.handle);
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await app.mail.stop(5000);
    await app.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return new Client(app, `http://127.0.0.1:${port}`);
}

/** From now on time stands still until the test moves it. */
export function stopClock(t: TestContext): void {
  const steady = performance.now();
  const began = Date.now();
  t.mock.method(performance, "now", () => steady + Date.now() - began);
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
}

/** One who asks: each request carries the same headers. */
export class Client {
  readonly app: App;
  readonly origin: string;
  readonly headers: Settings;

  constructor(app: App, origin: string, headers: Settings = {}) {
    this.app = app;
    this.origin = origin;
    this.headers = headers;
  }

  with(headers: Settings): Client {
    return new Client(this.app, this.origin, { ...this.headers, ...headers });
  }

  get(path: string, headers: Settings = {}): Promise<Answer> {
    return this.send("GET", path, undefined, headers);
  }

  post(path: string, body?: unknown, headers: Settings = {}): Promise<Answer> {
    return this.send("POST", path, body, headers);
  }

  patch(path: string, body?: unknown, headers: Settings = {}): Promise<Answer> {
    return this.send("PATCH", path, body, headers);
  }

  delete(path: string, body?: unknown, headers: Settings = {}): Promise<Answer> {
    return this.send("DELETE", path, body, headers);
  }

  /** A string is sent as it is, anything else as JSON. */
  async send(method: string, path: string, body: unknown, headers: Settings): Promise<Answer> {
    const type: Settings = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await fetch(this.origin + path, {
      method,
      headers: { ...this.headers, ...type, ...headers },
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
      redirect: "manual",
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.endsWith("json");
    const parsed: Json = isJson ? JSON.parse(text) : undefined;
    return { status: answer.status, headers: answer.headers, text, body: parsed };
  }

  register(email: string, name = "Ada", password = PASSWORD): Promise<Answer> {
    return this.post("/api/v1/auth/register", { email, name, password });
  }

  login(email: string, password = PASSWORD, code?: string): Promise<Answer> {
    return this.post("/api/v1/auth/login", { email, password, code });
  }

  /** What was sent to this address so far, with nothing left waiting. */
  async mails(to: string): Promise<Mail[]> {
    await this.app.mail.stop(5000);
    return readMails(this.app.config.mailUrl.replace("file:", ""), to);
  }

  /** The token in the newest link to this page that was sent to this address. */
  async tokenFor(page: string, to: string): Promise<string> {
    const texts = (await this.mails(to)).map(({ text }) => text).join("");
    const tokens = [...texts.matchAll(new RegExp(`/${page}#token=(.{43})\\n`, "g"))];
    return tokens.at(-1)?.[1] ?? assert.fail(`no link to ${page}`);
  }

  /** Someone with an account, logged in. */
  async person(email = "ada@example.com", role: Role = "user"): Promise<Client> {
    // Without a token: its session would end with the log-in.
    const { authorization: _, ...headers } = this.headers;
    const anyone = new Client(this.app, this.origin, headers);
    const { status, text } = await anyone.register(email);
    assert.equal(status, 202, text);
    const where = { email_normalized: email };
    await this.app.db.run((manager) => manager.update(Users, where, { role }));
    const { body } = await anyone.login(email);
    return anyone.with({ authorization: `Bearer ${body.token}` });
  }
}

export function assertProblem(answer: Answer, status: number, name: string): void {
  assert.equal(answer.headers.get("content-type"), "application/problem+json", answer.text);
  assert.equal(answer.body.type, `/problems/${name}`);
  assert.equal(answer.body.status, status);
  assert.equal(answer.status, status);
  assert.equal(answer.body.request_id, answer.headers.get("x-request-id"));
}

/** Validation said exactly this: pointer → detail. */
export function assertInvalid(answer: Answer, expected: Settings): void {
  assertProblem(answer, 422, "validation");
  const errors: { pointer: string; detail: string }[] = answer.body.errors;
  const found = Object.fromEntries(errors.map(({ pointer, detail }) => [pointer, detail]));
  assert.deepEqual(found, expected);
}
