/** Confirming addresses and setting passwords. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertInvalid, assertProblem, type Client, PASSWORD, start, stopClock } from "./setup.ts";

const ADA = "ada@example.com";
const FRESH = "four more quiet lanterns";
const HOUR = 3_600_000;
const WRONG = { "#/token": "is wrong, used or expired" };

function verify(anyone: Client, token: string) {
  return anyone.post("/api/v1/auth/verify-email", { token });
}

function forgot(anyone: Client, email = ADA) {
  return anyone.post("/api/v1/auth/password/forgot", { email });
}

function reset(anyone: Client, token: string, password = FRESH) {
  return anyone.post("/api/v1/auth/password/reset", { token, password });
}

test("an address is verified once", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  assert.equal((await ada.get("/api/v1/users/me")).body.email_verified, false);
  const token = await anyone.tokenFor("verify-email", ADA);
  assertInvalid(await verify(anyone, "x".repeat(43)), WRONG);
  assert.equal((await verify(anyone, token)).status, 204);
  assert.equal((await ada.get("/api/v1/users/me")).body.email_verified, true);
  assertInvalid(await verify(anyone, token), WRONG);
});

test("a verification can be sent again", async (t) => {
  const anyone = await start(t);
  await anyone.register(ADA);
  const first = await anyone.tokenFor("verify-email", ADA);
  for (const email of ["Ada@example.com", "nobody@example.com"]) {
    const { status, body } = await anyone.post("/api/v1/auth/verify-email/resend", { email });
    assert.deepEqual([status, body], [202, { status: "accepted" }]);
  }
  const mails = await anyone.mails(ADA);
  assert.equal(mails.length, 2);
  assert.equal((await anyone.mails("nobody@example.com")).length, 0);
  assert.equal((await verify(anyone, first)).status, 204, "older tokens stay valid");
  await anyone.post("/api/v1/auth/verify-email/resend", { email: ADA });
  assert.equal((await anyone.mails(ADA)).length, 2, "it is verified");
});

test("a forgotten password is reset once", async (t) => {
  const anyone = await start(t);
  await anyone.register(ADA);
  for (const email of [ADA, "nobody@example.com"]) {
    const { status, body } = await forgot(anyone, email);
    assert.deepEqual([status, body], [202, { status: "accepted" }]);
  }
  const token = await anyone.tokenFor("reset-password", ADA);
  assertInvalid(await reset(anyone, token, "password1234"), { "#/password": "is too common" });
  const telling = "ada@example.com is mine";
  const refused = { "#/password": "must not contain the address or the name" };
  assertInvalid(await reset(anyone, token, telling), refused);
  const answers = await Promise.all(Array.from({ length: 6 }, () => reset(anyone, token)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 422, 422, 422, 422, 422]);
  assertProblem(await anyone.login(ADA), 401, "invalid-credentials");
  const { status, body } = await anyone.login(ADA, FRESH);
  assert.deepEqual([status, body.user.email_verified], [200, true], "the mail proved the address");
  const subjects = (await anyone.mails(ADA)).map(({ subject }) => subject);
  assert.match(subjects.at(-1) ?? "", /^Your password for .* was changed$/);
});

test("a reset ends every session", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  const other = await anyone.person(ADA);
  await forgot(anyone);
  const older = await anyone.tokenFor("reset-password", ADA);
  await forgot(anyone);
  assert.equal((await reset(anyone, await anyone.tokenFor("reset-password", ADA))).status, 204);
  assertProblem(await ada.get("/api/v1/users/me"), 401, "unauthenticated");
  assertProblem(await other.get("/api/v1/users/me"), 401, "unauthenticated");
  assertInvalid(await reset(anyone, older), WRONG);
});

test("a reset token verifies no address", async (t) => {
  const anyone = await start(t);
  await anyone.register(ADA);
  await forgot(anyone);
  const proof = await anyone.tokenFor("verify-email", ADA);
  const token = await anyone.tokenFor("reset-password", ADA);
  assertInvalid(await verify(anyone, token), WRONG);
  assertInvalid(await reset(anyone, proof), WRONG);
  assert.equal((await anyone.login(ADA)).body.user.email_verified, false);
});

test("an expired token is refused", async (t) => {
  const anyone = await start(t);
  await anyone.register(ADA);
  await forgot(anyone);
  const proof = await anyone.tokenFor("verify-email", ADA);
  const token = await anyone.tokenFor("reset-password", ADA);
  stopClock(t);
  t.mock.timers.tick(HOUR + 1000);
  assertInvalid(await reset(anyone, token), WRONG);
  t.mock.timers.tick(23 * HOUR);
  assertInvalid(await verify(anyone, proof), WRONG);
});

test("a changed password ends the other sessions", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  const other = await anyone.person(ADA);
  await forgot(anyone);
  const unused = await anyone.tokenFor("reset-password", ADA);
  const body = { current_password: PASSWORD, password: FRESH };
  const changed = await ada.post("/api/v1/auth/password/change", body);
  assert.equal(changed.status, 200);
  for (const old of [ada, other]) {
    assertProblem(await old.get("/api/v1/users/me"), 401, "unauthenticated");
  }
  const now = anyone.with({ authorization: `Bearer ${changed.body.token}` });
  assert.deepEqual((await now.get("/api/v1/users/me")).body, changed.body.user);
  assertInvalid(await reset(anyone, unused), WRONG);
  assert.equal((await anyone.login(ADA, FRESH)).status, 200);
});

test("a wrong current password is refused", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  const body = { current_password: "not the password", password: FRESH };
  for (let count = 0; count < 5; count += 1) {
    const refused = await ada.post("/api/v1/auth/password/change", body);
    assertProblem(refused, 401, "invalid-credentials");
  }
  const right = { current_password: PASSWORD, password: FRESH };
  const blocked = await ada.post("/api/v1/auth/password/change", right);
  assertProblem(blocked, 429, "too-many-attempts");
  assert.equal((await ada.get("/api/v1/users/me")).status, 200);
});

test("an unverified address cannot log in when that is required", async (t) => {
  const anyone = await start(t, { REQUIRE_VERIFIED_EMAIL: "true" });
  await anyone.register(ADA);
  assertProblem(await anyone.login(ADA), 403, "email-not-verified");
  assertProblem(await anyone.login(ADA, "not the password"), 401, "invalid-credentials");
  await verify(anyone, await anyone.tokenFor("verify-email", ADA));
  assert.equal((await anyone.login(ADA)).status, 200);
});
