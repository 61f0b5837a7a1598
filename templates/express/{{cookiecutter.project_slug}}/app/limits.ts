/** Rate limits per client, shared through Valkey when there is one. */
import type { NextFunction, Request, Response } from "express";
import { network } from "./clients.ts";
import type { Quota } from "./config.ts";
import { Problem } from "./errors.ts";
import type { App } from "./index.ts";
import { locals } from "./locals.ts";

const UNLIMITED = new Set(["/healthz", "/readyz", "/metrics"]);
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

export function initApp(app: App): void {
  app.express.use(async (request: Request, response: Response, next: NextFunction) => {
    if (!UNLIMITED.has(request.path)) {
      await limit(app, request, response);
    }
    next();
  });
}

async function limit(app: App, request: Request, response: Response): Promise<void> {
  const known = locals(response);
  const isAuth = !SAFE.has(request.method) && request.path.startsWith("/api/v1/auth/");
  const policy = isAuth ? "auth" : "default";
  const quota = isAuth ? app.config.rateLimitAuth : app.config.rateLimit;
  const user = isAuth ? undefined : known.visitor?.user.id;
  const client = user ? `user:${user}` : `address:${network(known.client)}`;
  const cost = Math.floor((quota.seconds * 1_000_000) / quota.requests);
  const allowance = await app.store.limit(`rate:${policy}:${client}`, cost, quota.requests);
  known.headers["RateLimit-Policy"] = describe(policy, quota);
  known.headers.RateLimit = `"${policy}";r=${allowance.left};t=${inSeconds(allowance.reset)}`;
  if (!allowance.allowed) {
    const headers = { "Retry-After": String(Math.max(1, inSeconds(allowance.wait))) };
    throw new Problem("rate-limited", { headers });
  }
}

function describe(policy: string, quota: Quota): string {
  return `"${policy}";q=${quota.requests};w=${quota.seconds}`;
}

export function inSeconds(micros: number): number {
  return Math.ceil(micros / 1_000_000);
}
