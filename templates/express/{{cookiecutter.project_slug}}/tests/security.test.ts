/** Headers, origins and request ids. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertProblem, PASSWORD, type Settings, start } from "./setup.ts";

const EVERYWHERE = {
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-frame-options": "DENY",
  "strict-transport-security": "max-age=63072000; includeSubDomains",
  "x-powered-by": null,
  server: null,
};

test("every answer carries the security headers", async (t) => {
  const anyone = await start(t, { PUBLIC_URL: "https://example.com" });
  for (const path of ["/healthz", "/nowhere", "/api/v1/notes", "/docs", "/openapi.json"]) {
    const { headers } = await anyone.get(path);
    for (const [name, value] of Object.entries(EVERYWHERE)) {
      assert.equal(headers.get(name), value, `${name} at ${path}`);
    }
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'.*frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.match(headers.get("permissions-policy") ?? "", /camera=\(\)/);
  }
  const { headers } = await anyone.get("/api/v1/notes");
  assert.equal(headers.get("cache-control"), "no-store");
});

test("a foreign origin gets no cors headers", async (t) => {
  const anyone = await start(t, { CORS_ORIGINS: "https://friend.example" });
  const { headers } = await anyone.get("/healthz", { origin: "https://foe.example" });
  assert.deepEqual(
    [...headers.keys()].filter((name) => name.startsWith("access-control-")),
    [],
  );
  assert.match(headers.get("vary") ?? "", /Origin/);
});

test("an allowed origin may send credentials", async (t) => {
  const origin = "https://friend.example";
  const anyone = await start(t, { CORS_ORIGINS: origin });
  const { headers } = await anyone.get("/healthz", { origin });
  assert.equal(headers.get("access-control-allow-origin"), origin);
  assert.equal(headers.get("access-control-allow-credentials"), "true");
  const asks = { origin, "access-control-request-method": "PATCH" };
  const preflight = await anyone.send("OPTIONS", "/api/v1/notes", undefined, asks);
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get("access-control-allow-methods") ?? "", /PATCH/);
  assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /If-Match/);
});

test("a cookie request from another site is refused", async (t) => {
  const anyone = await start(t, { CORS_ORIGINS: "https://friend.example" });
  const email = "ada@example.com";
  await anyone.register(email);
  const body = { email, password: PASSWORD, transport: "cookie" };
  const login = await anyone.post("/api/v1/auth/login", body);
  const [cookie = ""] = (login.headers.get("set-cookie") ?? "").split(";");
  const ada = anyone.with({ cookie });
  const foreign: Settings[] = [
    {},
    { origin: "https://foe.example" },
    { "sec-fetch-site": "cross-site", origin: "https://friend.example" },
    { "sec-fetch-site": "same-site" },
  ];
  for (const headers of foreign) {
    const answer = await ada.with(headers).post("/api/v1/notes", { title: "one" });
    assertProblem(answer, 403, "csrf");
  }
  const ours: Settings[] = [
    { origin: ada.app.config.publicUrl },
    { origin: "https://friend.example" },
    { "sec-fetch-site": "same-origin" },
  ];
  for (const headers of ours) {
    const answer = await ada.with(headers).post("/api/v1/notes", { title: "one" });
    assert.equal(answer.status, 201);
  }
  assert.equal((await ada.get("/api/v1/notes", { "sec-fetch-site": "cross-site" })).status, 200);
});

test("a request id is kept when it is well formed", async (t) => {
  const anyone = await start(t);
  const ask = async (id: string) => {
    const { headers } = await anyone.get("/healthz", { "x-request-id": id });
    return headers.get("x-request-id") ?? "";
  };
  assert.equal(await ask("my-own.id_0001"), "my-own.id_0001");
  for (const id of ["short", "x".repeat(65), "with space", "with;semicolon"]) {
    const made = await ask(id);
    assert.notEqual(made, id);
    assert.match(made, /^[A-Za-z0-9._-]{8,64}$/);
  }
});
