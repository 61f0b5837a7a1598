/** Accounts, sessions and guessing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Users } from "../app/auth/model.ts";
import { assertInvalid, assertProblem, PASSWORD, start, stopClock } from "./setup.ts";

const ADA = "ada@example.com";
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

test("registering tells nothing about known addresses", async (t) => {
  const anyone = await start(t);
  const first = await anyone.register(ADA);
  const second = await anyone.register("ADA@example.com", "Eve", "another long secret");
  assert.deepEqual([first.status, first.body], [202, { status: "accepted" }]);
  assert.deepEqual([second.status, second.body], [202, { status: "accepted" }]);
  assert.equal((await anyone.login(ADA)).body.user.name, "Ada");
  assertProblem(await anyone.login(ADA, "another long secret"), 401, "invalid-credentials");
});

test("a common password is refused", async (t) => {
  const anyone = await start(t);
  for (const password of ["password1234", "QwertyUiop123"]) {
    assertInvalid(await anyone.register(ADA, "Ada", password), { "#/password": "is too common" });
  }
  assertInvalid(await anyone.register(ADA, "Ada", "short"), {
    "#/password": "must have at least 12 characters",
  });
});

test("a password must not contain the name", async (t) => {
  const anyone = await start(t);
  const expected = { "#/password": "must not contain the address or the name" };
  assertInvalid(await anyone.register(ADA, "Lovelace", "my-lovelace-secret"), expected);
  assertInvalid(await anyone.register("lovelace@example.com", "A", "my-LOVELACE-secret"), expected);
});

test("login gives a token", async (t) => {
  const anyone = await start(t);
  await anyone.register("Ada@Example.com");
  const { status, headers, body } = await anyone.login(ADA);
  assert.equal(status, 200);
  assert.match(body.token, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal(headers.get("set-cookie"), null);
  assert.deepEqual([body.user.email, body.user.role], ["Ada@Example.com", "user"]);
  const me = await anyone.get("/api/v1/users/me", { authorization: `Bearer ${body.token}` });
  assert.deepEqual(me.body, body.user);
});

test("login sets a cookie", async (t) => {
  const anyone = await start(t, { PUBLIC_URL: "https://example.com" });
  await anyone.register(ADA);
  const body = { email: ADA, password: PASSWORD, transport: "cookie" };
  const login = await anyone.post("/api/v1/auth/login", body);
  assert.equal(login.body.token, undefined);
  const [cookie = "", ...attributes] = (login.headers.get("set-cookie") ?? "").split("; ");
  assert.match(cookie, /^__Host-session=[A-Za-z0-9_-]{43}$/);
  for (const attribute of ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"]) {
    assert.ok(attributes.includes(attribute), attribute);
  }
  assert.equal((await anyone.get("/api/v1/users/me", { cookie })).body.email, ADA);
});

test("logging in ends the session that was sent along", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  assertProblem(await ada.login(ADA, "not the password"), 401, "invalid-credentials");
  assert.equal((await ada.get("/api/v1/users/me")).status, 200);
  const { status, body } = await ada.login(ADA);
  assert.equal(status, 200);
  assertProblem(await ada.get("/api/v1/users/me"), 401, "unauthenticated");
  const again = anyone.with({ authorization: `Bearer ${body.token}` });
  assert.equal((await again.get("/api/v1/auth/sessions")).body.items.length, 1);
});

test("wrong password and unknown user look alike", async (t) => {
  const anyone = await start(t);
  await anyone.register(ADA);
  const wrong = await anyone.login(ADA, "not the password");
  const unknown = await anyone.login("nobody@example.com", "not the password");
  assertProblem(wrong, 401, "invalid-credentials");
  assertProblem(unknown, 401, "invalid-credentials");
  assert.deepEqual({ ...unknown.body, request_id: wrong.body.request_id }, wrong.body);
});

test("five failures block the account", async (t) => {
  const anyone = await start(t);
  await anyone.register(ADA);
  stopClock(t);
  for (const email of [ADA, "nobody@example.com"]) {
    const guesses = Array.from({ length: 8 }, () => anyone.login(email, "not the password"));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [401, 401, 401, 401, 401, 429, 429, 429]);
  }
  const blocked = await anyone.login(ADA);
  assertProblem(blocked, 429, "too-many-attempts");
  assert.equal(blocked.headers.get("retry-after"), "900");
  t.mock.timers.tick(15 * MINUTE + 1000);
  assert.equal((await anyone.login(ADA)).status, 200);
});

test("logout ends the session", async (t) => {
  const ada = await (await start(t)).person(ADA);
  assert.equal((await ada.post("/api/v1/auth/logout")).status, 204);
  const refused = await ada.get("/api/v1/users/me");
  assertProblem(refused, 401, "unauthenticated");
  assert.equal(refused.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
});

test("sessions are listed with the current one marked", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  await anyone.post(
    "/api/v1/auth/login",
    { email: ADA, password: PASSWORD },
    { "user-agent": "a phone" },
  );
  const { items } = (await ada.get("/api/v1/auth/sessions")).body;
  const shown = items.map(({ user_agent, current }: Record<string, unknown>) => [
    user_agent,
    current,
  ]);
  assert.deepEqual(shown, [
    ["a phone", false],
    ["node", true],
  ]);
  assert.equal(items[0].client_address, "127.0.0.1");
});

test("another session can be ended", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  const eve = await anyone.person("eve@example.com");
  const { token } = (await anyone.login(ADA)).body;
  const [other] = (await ada.get("/api/v1/auth/sessions")).body.items;
  const path = `/api/v1/auth/sessions/${other.id}`;
  assertProblem(await eve.delete(path), 404, "not-found");
  assert.equal((await ada.delete(path)).status, 204);
  assertProblem(await ada.delete(path), 404, "not-found");
  const ended = anyone.with({ authorization: `Bearer ${token}` });
  assert.equal((await ended.get("/api/v1/users/me")).status, 401);
  assert.equal((await ada.get("/api/v1/users/me")).status, 200);
});

test("all other sessions can be ended", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  const eve = await anyone.person("eve@example.com");
  await anyone.login(ADA);
  await anyone.login(ADA);
  assert.equal((await ada.delete("/api/v1/auth/sessions")).status, 204);
  const { items } = (await ada.get("/api/v1/auth/sessions")).body;
  assert.deepEqual([items.length, items[0].current], [1, true]);
  assert.equal((await eve.get("/api/v1/users/me")).status, 200);
});

test("an idle session ends", async (t) => {
  const anyone = await start(t, { SESSION_IDLE_DAYS: "14", SESSION_MAX_DAYS: "30" });
  const ada = await anyone.person(ADA);
  const idle = await anyone.person(ADA);
  stopClock(t);
  t.mock.timers.tick(10 * DAY);
  assert.equal((await ada.get("/api/v1/users/me")).status, 200);
  t.mock.timers.tick(10 * DAY);
  assertProblem(await idle.get("/api/v1/users/me"), 401, "unauthenticated");
  assert.equal((await ada.get("/api/v1/users/me")).status, 200);
  t.mock.timers.tick(11 * DAY);
  assertProblem(await ada.get("/api/v1/users/me"), 401, "unauthenticated");
});

test("a disabled user cannot log in", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  const { db } = anyone.app;
  const where = { email_normalized: ADA };
  await db.run((manager) => manager.update(Users, where, { disabled: true }));
  assertProblem(await anyone.login(ADA), 401, "invalid-credentials");
  assertProblem(await ada.get("/api/v1/users/me"), 401, "unauthenticated");
});
