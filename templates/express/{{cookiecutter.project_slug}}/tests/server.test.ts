/** The life of the process. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { nowhere } from "./database.ts";
import { environment, openDb, type Settings } from "./setup.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface End {
  code: number | null;
  stderr: string;
}

function run(t: TestContext, settings: Settings): { child: ChildProcess; end: Promise<End> } {
  const child = spawn(process.execPath, ["server.ts"], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...environment(settings) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const end = Promise.all([once(child, "exit"), text(child.stderr)]);
  return { child, end: end.then(([[code], stderr]) => ({ code, stderr })) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Asks until the server is ready, or until it is not any more. */
async function waitUntil(isReady: boolean, port: number): Promise<void> {
  const deadline = AbortSignal.timeout(30_000);
  for (;;) {
    const found = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (found === isReady) {
      return;
    }
    deadline.throwIfAborted();
    await sleep(20);
  }
}

/** A log-in of which the server has the head, and waits for the body. */
async function beginLogin(port: number, body: string): Promise<ClientRequest> {
  const login = request({
    host: "127.0.0.1",
    port,
    method: "POST",
    path: "/api/v1/auth/login",
    headers: {
      "Content-Type": "application/json",
      "Content-Length": body.length,
      Expect: "100-continue",
    },
  });
  login.flushHeaders();
  await once(login, "continue");
  return login;
}

test("the server stops cleanly on sigterm", async (t) => {
  await openDb(t);
  const port = await freePort();
  const { child, end } = run(t, { PORT: String(port), WEB_CONCURRENCY: "2" });
  await waitUntil(true, port);
  const body = JSON.stringify({ email: "ada@example.com", password: "not the password" });
  const login = await beginLogin(port, body);
  child.kill("SIGTERM");
  await waitUntil(false, port);
  login.end(body);
  const [answer] = (await once(login, "response")) as [IncomingMessage];
  assert.match(await text(answer), /invalid-credentials/);
  assert.deepEqual(await end, { code: 0, stderr: "" });
});

test("a bad configuration stops the start", async (t) => {
  const { code, stderr } = await run(t, { PORT: "http", RATE_LIMIT: "often" }).end;
  assert.equal(code, 78);
  assert.match(stderr, /^Configuration error:\nPORT=http: .*\nRATE_LIMIT=often: .*\n$/);
});

test("a missing database stops the start", async (t) => {
  const port = await freePort();
  const { code, stderr } = await run(t, { PORT: String(port), DATABASE_URL: nowhere() }).end;
  assert.equal(code, 1);
  assert.match(stderr, /^The database does not answer at .*; check DATABASE_URL\.\n$/);
});
