/** Rate limits are exact and friendly. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertProblem, type Client, start, stopClock } from "./setup.ts";

async function statuses(client: Client, count: number): Promise<number[]> {
  const found: number[] = [];
  for (let sent = 0; sent < count; sent += 1) {
    found.push((await client.get("/api/v1/notes")).status);
  }
  return found;
}

test("the limit is exact", async (t) => {
  const anyone = await start(t, { RATE_LIMIT: "3/minute" });
  stopClock(t);
  assert.deepEqual(await statuses(anyone, 5), [401, 401, 401, 429, 429]);
  const parallel = await start(t, { RATE_LIMIT: "3/minute" });
  const answers = await Promise.all(Array.from({ length: 9 }, () => parallel.get("/nowhere")));
  assert.equal(answers.filter(({ status }) => status === 404).length, 3);
  assert.equal((await anyone.get("/healthz")).status, 200);
});

test("the answer says what is left", async (t) => {
  const anyone = await start(t, { RATE_LIMIT: "3/minute", RATE_LIMIT_AUTH: "2/hour" });
  stopClock(t);
  const first = await anyone.get("/api/v1/notes");
  assert.equal(first.headers.get("ratelimit-policy"), '"default";q=3;w=60');
  assert.equal(first.headers.get("ratelimit"), '"default";r=2;t=20');
  await statuses(anyone, 2);
  const refused = await anyone.get("/api/v1/notes");
  assertProblem(refused, 429, "rate-limited");
  assert.equal(refused.headers.get("ratelimit"), '"default";r=0;t=60');
  assert.equal(refused.headers.get("retry-after"), "20");
  const login = await anyone.login("nobody@example.com");
  assert.equal(login.headers.get("ratelimit-policy"), '"auth";q=2;w=3600');
});

test("a blocked client may come back", async (t) => {
  const anyone = await start(t, { RATE_LIMIT: "2/minute" });
  stopClock(t);
  assert.deepEqual(await statuses(anyone, 3), [401, 401, 429]);
  t.mock.timers.tick(31_000);
  assert.deepEqual(await statuses(anyone, 2), [401, 429]);
});

test("a store that is away costs no error", async (t) => {
  const anyone = await start(t, { RATE_LIMIT: "3/hour", VALKEY_URL: "redis://127.0.0.1:1/0" });
  assert.deepEqual(await statuses(anyone, 4), [401, 401, 401, 429]);
});
