/** The second factor. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Secret, TOTP } from "otpauth";
import { Users } from "../app/auth/model.ts";
import { timestamp } from "../app/ids.ts";
import { assertInvalid, assertProblem, type Client, PASSWORD, start, stopClock } from "./setup.ts";

const ADA = "ada@example.com";
const FRESH = "four more quiet lanterns";
const STEP = 30_000;
const TOTP_PATH = "/api/v1/auth/totp";

function codeOf(secret: string, steps = 0): string {
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  return totp.generate({ timestamp: Date.now() + steps * STEP });
}

async function begin(ada: Client): Promise<string> {
  const { status, body } = await ada.post(TOTP_PATH, { password: PASSWORD });
  assert.equal(status, 200);
  return body.secret;
}

interface Protected {
  anyone: Client;
  /** With the session that began when the second factor was switched on. */
  ada: Client;
  secret: string;
  codes: string[];
}

/** Someone whose second factor is on; time stands still, and the code of now is used up. */
async function protect(t: TestContext): Promise<Protected> {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  stopClock(t);
  const secret = await begin(ada);
  const { body } = await ada.post(`${TOTP_PATH}/confirm`, { code: codeOf(secret) });
  const renewed = anyone.with({ authorization: `Bearer ${body.token}` });
  return { anyone, ada: renewed, secret, codes: body.recovery_codes };
}

test("a second factor is switched on", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  stopClock(t);
  const begun = await ada.post(TOTP_PATH, { password: PASSWORD });
  const { secret, uri } = begun.body;
  assert.match(secret, /^[A-Z2-7]{32}$/);
  const rest = `secret=${secret}&issuer=\\S+&algorithm=SHA1&digits=6&period=30`;
  assert.match(uri, new RegExp(`^otpauth://totp/\\S+:ada%40example\\.com\\?${rest}$`));
  const wrong = await ada.post(`${TOTP_PATH}/confirm`, { code: codeOf(secret, 5) });
  assertInvalid(wrong, { "#/code": "is wrong" });
  const { status, body } = await ada.post(`${TOTP_PATH}/confirm`, { code: codeOf(secret) });
  assert.deepEqual([status, body.user.totp_enabled], [200, true]);
  assert.equal(new Set(body.recovery_codes).size, 10);
  assert.match(body.recovery_codes[0], /^[a-z2-7]{6}(?:-[a-z2-7]{6}){3}$/);
  assertProblem(await ada.get("/api/v1/users/me"), 401, "unauthenticated");
  const renewed = anyone.with({ authorization: `Bearer ${body.token}` });
  assert.deepEqual((await renewed.get("/api/v1/users/me")).body, body.user);
  assertProblem(await renewed.post(TOTP_PATH, { password: PASSWORD }), 409, "conflict");
  const again = await renewed.post(`${TOTP_PATH}/confirm`, { code: codeOf(secret) });
  assertProblem(again, 409, "conflict");
});

test("beginning wants the password", async (t) => {
  const ada = await (await start(t)).person(ADA);
  const refused = await ada.post(TOTP_PATH, { password: "not the password" });
  assertProblem(refused, 401, "invalid-credentials");
  assertProblem(await ada.post(`${TOTP_PATH}/confirm`, { code: "123456" }), 409, "conflict");
});

test("a code works once", async (t) => {
  const { anyone, secret } = await protect(t);
  const used = await anyone.login(ADA, PASSWORD, codeOf(secret));
  assertProblem(used, 401, "invalid-credentials");
  const next = codeOf(secret, 1);
  const tries = Array.from({ length: 4 }, () => anyone.login(ADA, PASSWORD, next));
  const statuses = (await Promise.all(tries)).map(({ status }) => status);
  assert.deepEqual(statuses.sort(), [200, 401, 401, 401]);
  const before = codeOf(secret);
  assertProblem(await anyone.login(ADA, PASSWORD, before), 401, "invalid-credentials");
});

test("a recovery code works once", async (t) => {
  const { anyone, codes } = await protect(t);
  const [first = "", second = ""] = codes;
  const typed = ` ${first.toUpperCase().replaceAll("-", " ")}`;
  assert.equal((await anyone.login(ADA, PASSWORD, typed)).status, 200);
  assertProblem(await anyone.login(ADA, PASSWORD, first), 401, "invalid-credentials");
  assert.equal((await anyone.login(ADA, PASSWORD, second)).status, 200);
});

test("log in wants the code", async (t) => {
  const { anyone, secret } = await protect(t);
  assertProblem(await anyone.login(ADA), 401, "second-factor-required");
  const wrong = await anyone.login(ADA, "not the password");
  assertProblem(wrong, 401, "invalid-credentials");
  const { status, body } = await anyone.login(ADA, PASSWORD, codeOf(secret, -1));
  assert.deepEqual([status, body.type], [401, "/problems/invalid-credentials"], "an older step");
  t.mock.timers.tick(STEP);
  assert.equal((await anyone.login(ADA, PASSWORD, codeOf(secret))).status, 200);
});

test("a wrong code counts as a guess", async (t) => {
  const { anyone, secret } = await protect(t);
  for (const code of [undefined, codeOf(secret, 9), codeOf(secret, -9), "123-456", "lost"]) {
    assert.equal((await anyone.login(ADA, PASSWORD, code)).status, 401);
  }
  const blocked = await anyone.login(ADA, PASSWORD, codeOf(secret, 1));
  assertProblem(blocked, 429, "too-many-attempts");
});

test("the second factor is switched off with the password", async (t) => {
  const { anyone, ada, codes } = await protect(t);
  const refused = await ada.delete(TOTP_PATH, { password: "not the password" });
  assertProblem(refused, 401, "invalid-credentials");
  const { status, body } = await ada.delete(TOTP_PATH, { password: PASSWORD });
  assert.deepEqual([status, body.user.totp_enabled], [200, false]);
  assertProblem(await ada.get("/api/v1/users/me"), 401, "unauthenticated");
  const renewed = anyone.with({ authorization: `Bearer ${body.token}` });
  const again = await renewed.delete(TOTP_PATH, { password: PASSWORD });
  assertProblem(again, 409, "conflict");
  assert.equal((await anyone.login(ADA, PASSWORD, codes[0])).status, 200, "no code is wanted");
  const subjects = (await anyone.mails(ADA)).map(({ subject }) => subject);
  assert.ok(subjects.some((subject) => subject.startsWith("Second factor switched off")));
});

test("a reset of an unconfirmed account removes the second factor", async (t) => {
  for (const isConfirmed of [true, false]) {
    const { anyone, codes } = await protect(t);
    const verified = { email_verified_at: isConfirmed ? timestamp() : null };
    await anyone.app.db.run((manager) =>
      manager.update(Users, { email_normalized: ADA }, verified),
    );
    await anyone.post("/api/v1/auth/password/forgot", { email: ADA });
    const body = { token: await anyone.tokenFor("reset-password", ADA), password: FRESH };
    assert.equal((await anyone.post("/api/v1/auth/password/reset", body)).status, 204);
    // Who made the account may not have been who owns the address.
    assert.equal((await anyone.login(ADA, FRESH)).status, isConfirmed ? 401 : 200);
    const { user } = (await anyone.login(ADA, FRESH, codes[0])).body;
    assert.equal(user.totp_enabled, isConfirmed);
    t.mock.timers.reset();
    t.mock.restoreAll();
  }
});

test("a secret is stored sealed", async (t) => {
  const { anyone, secret } = await protect(t);
  const find = () => anyone.app.db.run((manager) => manager.findOneByOrFail(Users, {}));
  const { id, totp_secret } = await find();
  assert.match(totp_secret ?? "", /^[A-Za-z0-9_-]{64}$/);
  const { config, db } = anyone.app;
  const [old = ""] = config.secretKeys;
  t.mock.timers.tick(STEP);
  config.secretKeys = ["a-new-key-in-front-of-at-least-32-bytes", old];
  assert.equal((await anyone.login(ADA, PASSWORD, codeOf(secret))).status, 200);
  assert.notEqual((await find()).totp_secret, totp_secret, "sealed anew with the first key");
  await db.run((manager) => manager.update(Users, { id }, { totp_secret }));
  config.secretKeys = ["a-key-that-did-not-seal-it-of-32-bytes-"];
  const errors = t.mock.method(anyone.app.log, "error", () => undefined);
  const unread = await anyone.login(ADA, PASSWORD, codeOf(secret, 1));
  assertProblem(unread, 401, "invalid-credentials");
  assert.equal(errors.mock.callCount(), 1);
});
