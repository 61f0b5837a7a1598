/** The probes: alive, and ready to serve. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Response } from "express";
import { z } from "zod";
import { Problem } from "./errors.ts";
import type { App } from "./index.ts";
import { locals } from "./locals.ts";
import { requestId } from "./logs.ts";
import { securityHeaders } from "./security.ts";
import { bounded } from "./store.ts";
import { answer } from "./validation.ts";

const PATIENCE = 2000;

const Health = answer("Health", { status: z.literal("ok") });
const Readiness = answer("Readiness", {
  status: z.literal("ok"),
  checks: z.record(z.string(), z.literal("ok")),
});

export function initApp(app: App): void {
  const probe = { method: "get", tag: "operations", status: 200, access: "probe" } as const;
  app.route(
    {
      ...probe,
      path: "/healthz",
      id: "healthz",
      summary: "Whether the process lives",
      result: Health,
    },
    async ({ response }) => {
      hush(response);
      return { body: { status: "ok" } };
    },
  );
  app.route(
    {
      ...probe,
      path: "/readyz",
      id: "readyz",
      summary: "Whether the app can serve",
      result: Readiness,
      problems: [503],
    },
    async ({ response }) => {
      hush(response);
      return { body: { status: "ok", checks: await check(app) } };
    },
  );
}

const ALIVE = '{"status":"ok"}';

/**
 * Answers the plain probe before everything else: 35 µs of CPU in place of 55.
 * What has more to it (another origin, a line for the log) goes the way of all requests.
 */
export function alive(app: App): (request: IncomingMessage, response: ServerResponse) => boolean {
  const headers = {
    ...securityHeaders(app.config.publicUrl),
    ...(app.config.corsOrigins.length > 0 ? { Vary: "Origin" } : {}),
    "Cache-Control": "no-store",
    "Content-Type": "application/json",
    "Content-Length": String(ALIVE.length),
  };
  const constant = Object.entries(headers).flat();
  const counted = { GET: count(app, "GET"), HEAD: count(app, "HEAD") };
  return (request, response) => {
    const { method, url } = request;
    const isPlain = url === "/healthz" && (method === "GET" || method === "HEAD");
    if (!isPlain || request.headers.origin !== undefined || app.log.isLevelEnabled("debug")) {
      return false;
    }
    const started = performance.now();
    response.writeHead(200, [...constant, "X-Request-Id", requestId(request)]).end(ALIVE);
    counted[method](performance.now() - started);
    return true;
  };
}

function count(app: App, method: string): (milliseconds: number) => void {
  const labels = { method, route: "/healthz", status: "200" };
  return (milliseconds) => app.metrics.requests.observe(labels, milliseconds / 1000);
}

function hush(response: Response): void {
  locals(response).isQuiet = true;
}

async function check(app: App): Promise<Record<string, string>> {
  if (app.isStopping) {
    throw new Problem("unavailable", { detail: "shutting down" });
  }
  const probes: [string, Promise<unknown>][] = [["database", bounded(app.db.ping(), PATIENCE)]];
  if (app.shared) {
    probes.push(["valkey", app.shared.ping(PATIENCE)]);
  }
  const results = await Promise.allSettled(probes.map(([, work]) => work));
  const checks: Record<string, string> = {};
  const away: string[] = [];
  for (const [index, [name]] of probes.entries()) {
    const isAway = results[index]?.status === "rejected";
    checks[name] = isAway ? "failed" : "ok";
    if (isAway) {
      away.push(name);
    }
  }
  if (away.length > 0) {
    const detail = `${away.join(" and ")} ${away.length > 1 ? "are" : "is"} away`;
    throw new Problem("unavailable", { detail, members: { checks } });
  }
  return checks;
}
