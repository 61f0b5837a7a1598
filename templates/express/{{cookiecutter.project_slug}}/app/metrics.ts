/** Prometheus metrics, summed over all worker processes. */
import { hash, timingSafeEqual } from "node:crypto";
import type { NextFunction, Request, Response } from "express";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { Problem } from "./errors.ts";
import type { App } from "./index.ts";
import { locals } from "./locals.ts";

// Of the library's own, those that mean the same whatever the language.
const PROCESS = ["process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes"];
const START = "process_start_time_seconds";
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]);

/** The numbers of one process. */
export class Metrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];
  readonly requests = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time to answer a request.",
    labelNames: ["method", "route", "status"] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: this.#registers,
  });
  readonly inFlight = new Gauge({
    name: "http_requests_in_flight",
    help: "Requests being answered now.",
    registers: this.#registers,
  });
  readonly events = new Counter({
    name: "auth_events_total",
    help: "What happened to accounts and sessions.",
    labelNames: ["event"] as const,
    registers: this.#registers,
  });

  constructor(pool: () => { used: number; idle: number }) {
    const library = new Registry();
    collectDefaultMetrics({ register: library });
    for (const name of PROCESS) {
      const metric = library.getSingleMetric(name);
      if (metric) {
        this.registry.registerMetric(metric);
      }
    }
    // The library's own is left out when the workers are summed.
    new Gauge({
      name: START,
      help: "Start of the oldest process, in seconds since 1970.",
      registers: this.#registers,
      aggregator: "min",
    }).set(performance.timeOrigin / 1000);
    new Gauge({
      name: "db_pool_connections",
      help: "Database connections held by the pool.",
      labelNames: ["state"] as const,
      registers: this.#registers,
      collect() {
        const { used, idle } = pool();
        this.set({ state: "used" }, used);
        this.set({ state: "idle" }, idle);
      },
    });
  }
}

export function initApp(app: App): void {
  app.express.use((request: Request, response: Response, next: NextFunction) => {
    const stop = app.metrics.requests.startTimer();
    app.metrics.inFlight.inc();
    response.on("close", () => {
      app.metrics.inFlight.dec();
      const method = METHODS.has(request.method) ? request.method : "OTHER";
      stop({ method, route: locals(response).route, status: String(response.statusCode) });
    });
    next();
  });
  app.page("/metrics", async (request, response) => {
    checkToken(app, request);
    const body = await app.readMetrics();
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("Content-Type", app.metrics.registry.contentType);
    response.end(body);
  });
}

function checkToken(app: App, request: Request): void {
  const { metricsToken, isProduction } = app.config;
  if (metricsToken === "") {
    if (isProduction) {
      throw new Problem("not-found");
    }
    return;
  }
  const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1]?.trim() ?? "";
  if (!timingSafeEqual(digest(given), digest(metricsToken))) {
    throw new Problem("unauthenticated");
  }
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
