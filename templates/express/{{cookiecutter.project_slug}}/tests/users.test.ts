/** People: oneself and admins. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertInvalid, assertProblem, PASSWORD, start } from "./setup.ts";

const ADA = "ada@example.com";
const ME = "/api/v1/users/me";

test("me can be read and renamed", async (t) => {
  const ada = await (await start(t)).person(ADA);
  const before = (await ada.get(ME)).body;
  assert.deepEqual(Object.keys(before).sort(), [
    "created_at",
    "disabled",
    "email",
    "email_verified",
    "id",
    "name",
    "role",
    "totp_enabled",
    "updated_at",
  ]);
  const renamed = await ada.patch(ME, { name: "Ada L." });
  assert.equal(renamed.status, 200);
  assert.equal(renamed.body.name, "Ada L.");
  assert.ok(renamed.body.updated_at > before.updated_at);
  assert.deepEqual((await ada.get(ME)).body, renamed.body);
});

test("me can be deleted with the password", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  await ada.post("/api/v1/notes", { title: "goes too" });
  const wrong = await ada.delete(ME, { password: "not the password" });
  assertProblem(wrong, 401, "invalid-credentials");
  assert.equal((await ada.delete(ME, { password: PASSWORD })).status, 204);
  assertProblem(await ada.get(ME), 401, "unauthenticated");
  assertProblem(await anyone.login(ADA), 401, "invalid-credentials");
});

test("role cannot be set by oneself", async (t) => {
  const ada = await (await start(t)).person(ADA);
  const answer = await ada.patch(ME, { role: "admin", disabled: false });
  assertInvalid(answer, { "#/disabled": "is not allowed", "#/role": "is not allowed" });
  assert.equal((await ada.get(ME)).body.role, "user");
});

test("only admins list users", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person(ADA);
  const { id } = (await ada.get(ME)).body;
  assertProblem(await anyone.get("/api/v1/users"), 401, "unauthenticated");
  assertProblem(await ada.get("/api/v1/users"), 403, "forbidden");
  assertProblem(await ada.get(`/api/v1/users/${id}`), 403, "forbidden");
  assertProblem(await ada.patch(`/api/v1/users/${id}`, { role: "admin" }), 403, "forbidden");
  const admin = await anyone.person("root@example.com", "admin");
  assert.equal((await admin.get(`/api/v1/users/${id}`)).body.email, ADA);
});

test("an admin pages through users", async (t) => {
  const anyone = await start(t);
  const admin = await anyone.person("root@example.com", "admin");
  for (const name of ["one", "two", "three", "four"]) {
    await anyone.register(`${name}@example.com`, `Person ${name}`);
  }
  const found: string[] = [];
  let path: string | null = "/api/v1/users?limit=2";
  while (path !== null) {
    const { headers, body } = await admin.get(path);
    found.push(...body.items.map(({ email }: { email: string }) => email.split("@")[0]));
    assert.equal(headers.has("link"), body.next !== null);
    path = body.next;
  }
  assert.deepEqual(found, ["four", "three", "two", "one", "root"]);
  const { items } = (await admin.get("/api/v1/users?q=PERSON%20t")).body;
  assert.deepEqual(
    items.map(({ name }: { name: string }) => name),
    ["Person three", "Person two"],
  );
});

test("disabling a user ends the sessions", async (t) => {
  const anyone = await start(t);
  const admin = await anyone.person("root@example.com", "admin");
  const ada = await anyone.person(ADA);
  const { id } = (await ada.get(ME)).body;
  const disabled = await admin.patch(`/api/v1/users/${id}`, { disabled: true });
  assert.deepEqual([disabled.status, disabled.body.disabled], [200, true]);
  assertProblem(await ada.get(ME), 401, "unauthenticated");
  await admin.patch(`/api/v1/users/${id}`, { disabled: false });
  assertProblem(await ada.get(ME), 401, "unauthenticated");
  assert.equal((await anyone.login(ADA)).status, 200);
});

test("an admin cannot demote oneself", async (t) => {
  const admin = await (await start(t)).person("root@example.com", "admin");
  const path = `/api/v1/users/${(await admin.get(ME)).body.id}`;
  assertProblem(await admin.patch(path, { role: "user" }), 409, "conflict");
  assertProblem(await admin.patch(path, { disabled: true }), 409, "conflict");
  assert.equal((await admin.get(ME)).body.role, "admin");
});
