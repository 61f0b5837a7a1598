/** The document and the code agree. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { start } from "./setup.ts";

test("the document is fresh", async (t) => {
  const anyone = await start(t);
  const { body } = await anyone.get("/openapi.json");
  const file = new URL("../openapi.yaml", import.meta.url);
  assert.deepEqual(parse(readFileSync(file, "utf8")), body, "run make openapi");
});

test("every route is documented", async (t) => {
  const anyone = await start(t);
  const { paths } = (await anyone.get("/openapi.json")).body;
  const routes = anyone.app.express.router.stack
    .map(({ route }) => (route?.path ?? "").replaceAll(/:(\w+)/g, "{$1}"))
    .filter((path) => /^\/(?:api\/|healthz|readyz)/.test(path));
  assert.deepEqual(routes.sort(), Object.keys(paths).sort());
  for (const path of routes) {
    const { headers } = await anyone.send("OPTIONS", path.replace("{id}", "1"), undefined, {});
    const methods = Object.keys(paths[path]).map((method) => method.toUpperCase());
    const more = methods.includes("GET") ? ["HEAD", "OPTIONS"] : ["OPTIONS"];
    assert.deepEqual(headers.get("allow")?.split(", ").sort(), [...methods, ...more].sort());
  }
});
