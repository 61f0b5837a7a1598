/** The probes: alive, and ready to serve. */
import type { Response } from "express";
import { z } from "zod";
import { Problem } from "./errors.ts";
import type { App } from "./index.ts";
import { locals } from "./locals.ts";
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
