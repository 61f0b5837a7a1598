/** Traces, and what they never tell. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import { Traces } from "../app/traces.ts";
import { type Client, PASSWORD, start } from "./setup.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ME = "/api/v1/users/me";

/** An app, and all spans of what is asked of it. */
async function traced(
  t: TestContext,
  ask: (anyone: Client) => Promise<void>,
): Promise<ReadableSpan[]> {
  const spans: ReadableSpan[] = [];
  const exporter: SpanExporter = {
    export: (batch, done) => {
      spans.push(...batch);
      done({ code: 0 });
    },
    shutdown: async () => undefined,
  };
  const traces = await Traces.open({ tracesName: "traced" }, exporter);
  await ask(await start(t, {}, traces));
  await traces.close();
  return spans;
}

function named(spans: ReadableSpan[], name: string): ReadableSpan {
  return spans.find((span) => span.name === name) ?? assert.fail(`no span ${name}`);
}

test("a request makes a server span with its statements", async (t) => {
  const spans = await traced(t, async (anyone) => {
    const ada = await anyone.person();
    await ada.get(ME, { "x-request-id": "the-one-with-spans" });
  });
  const server = named(spans, `GET ${ME}`);
  const { "user.id": user, ...about } = server.attributes;
  assert.deepEqual(about, {
    "http.request.method": "GET",
    "http.route": ME,
    "url.path": ME,
    "url.scheme": "http",
    "http.response.status_code": 200,
    "client.address": "127.0.0.1",
    "app.request_id": "the-one-with-spans",
  });
  assert.match(String(user), /^[0-9a-f-]{36}$/);
  assert.equal(server.resource.attributes["service.name"], "traced");
  const { spanId } = server.spanContext();
  const inside = spans.filter((span) => span.parentSpanContext?.spanId === spanId);
  assert.ok(inside.some((span) => span.name === "SELECT sessions"));
});

test("a span goes on with the trace of the caller", async (t) => {
  const [trace, parent] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  const spans = await traced(t, async (anyone) => {
    await anyone.get(ME, { traceparent: `00-${trace}-${parent}-01` });
  });
  const server = named(spans, `GET ${ME}`);
  assert.equal(server.spanContext().traceId, trace);
  assert.equal(server.parentSpanContext?.spanId, parent);
});

test("probes make no span", async (t) => {
  const spans = await traced(t, async (anyone) => {
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      assert.equal((await anyone.get(path, { origin: "https://example.com" })).status, 200);
    }
  });
  assert.deepEqual(spans, []);
});

test("without an endpoint nothing of it is loaded", async () => {
  // A library of ours loads the part without a function by itself.
  const script = `
    import { registerHooks } from "node:module";
    registerHooks({
      resolve(name, context, next) {
        if (name.startsWith("@opentelemetry/") && !context.parentURL.includes("prom-client")) {
          console.log(name);
        }
        return next(name, context);
      },
    });
    await import("./app/worker.ts");
  `;
  const command = ["--input-type=module", "--eval", script];
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: ROOT });
  assert.equal(stdout, "");
});

test("spans hold no statement and no value", async (t) => {
  const spans = await traced(t, async (anyone) => {
    const ada = await anyone.person("ada@example.com");
    await ada.patch(ME, { name: "Grace Hopper" });
    await anyone.login("ada@example.com", "not the password");
    await ada.mails("ada@example.com");
  });
  named(spans, "send mail");
  const told = spans
    .map(({ name, attributes, events, status }) =>
      JSON.stringify({ name, attributes, events, status }),
    )
    .join("\n");
  for (const word of ["ada@example.com", PASSWORD, "not the password", "Grace", "WHERE", "INTO"]) {
    assert.ok(!told.includes(word), word);
  }
});
