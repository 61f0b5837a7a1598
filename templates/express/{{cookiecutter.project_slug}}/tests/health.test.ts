/** The probes and the metrics. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertProblem, start } from "./setup.ts";

test("alive answers ok", async (t) => {
  const anyone = await start(t);
  const { status, headers, body } = await anyone.get("/healthz");
  assert.equal(status, 200);
  assert.deepEqual(body, { status: "ok" });
  assert.equal(headers.get("cache-control"), "no-store");
});

test("ready names the checks", async (t) => {
  const anyone = await start(t);
  const { status, body } = await anyone.get("/readyz");
  assert.equal(status, 200);
  assert.deepEqual(body, { status: "ok", checks: { database: "ok" } });
});

test("ready tells when the database is away", async (t) => {
  const anyone = await start(t);
  await anyone.app.db.close();
  const answer = await anyone.get("/readyz");
  assertProblem(answer, 503, "unavailable");
  assert.equal(answer.body.detail, "database is away");
  assert.deepEqual(answer.body.checks, { database: "failed" });
  assert.ok(answer.headers.get("retry-after"));
  assert.equal((await anyone.get("/healthz")).status, 200);
});

test("metrics name routes by template", async (t) => {
  const anyone = await start(t);
  const ada = await anyone.person();
  const note = await ada.post("/api/v1/notes", { title: "one" });
  await ada.get(`/api/v1/notes/${note.body.id}`);
  await ada.get("/nowhere/at/all");
  const { text } = await anyone.get("/metrics");
  const counted = text.match(/^http_request_duration_seconds_count\{.*$/gm)?.join("\n") ?? "";
  assert.match(counted, /route="\/api\/v1\/notes\/\{id\}"/);
  assert.match(counted, /route="unmatched"/);
  assert.ok(!text.includes(note.body.id) && !text.includes("nowhere"));
  assert.match(text, /^auth_events_total\{event="login"\} 1$/m);
  assert.match(text, /^db_pool_connections\{state="idle"\} \d+$/m);
});

test("metrics want the token", async (t) => {
  const guarded = await start(t, { METRICS_TOKEN: "let-me-see" });
  assertProblem(await guarded.get("/metrics"), 401, "unauthenticated");
  const wrong = { authorization: "Bearer let-me-guess" };
  assertProblem(await guarded.get("/metrics", wrong), 401, "unauthenticated");
  const right = { authorization: "Bearer let-me-see" };
  assert.equal((await guarded.get("/metrics", right)).status, 200);
  const hidden = await start(t, { APP_ENV: "production" });
  assertProblem(await hidden.get("/metrics"), 404, "not-found");
});
