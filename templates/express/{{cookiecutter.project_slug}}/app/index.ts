/** The application: an ordered list of parts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import express, { type Express, type Request, type Response } from "express";
import { type Endpoint, endpoint, type Handler, type Operation } from "./api.ts";
import * as auth from "./auth/index.ts";
import { ABOUT, type Config } from "./config.ts";
import type { Db } from "./db.ts";
import * as errors from "./errors.ts";
import * as health from "./health.ts";
import * as limits from "./limits.ts";
import * as logs from "./logs.ts";
import { locals } from "./locals.ts";
import { Mail } from "./mail/index.ts";
import * as metrics from "./metrics.ts";
import * as notes from "./notes/index.ts";
import { openApi } from "./openapi.ts";
import * as pages from "./pages.ts";
import * as security from "./security.ts";
import { MemoryStore, SharedStore, type Store } from "./store.ts";
import type { Traces } from "./traces.ts";
import * as users from "./users/index.ts";

export class App {
  readonly about = ABOUT;
  readonly express: Express = express();
  readonly config: Config;
  readonly db: Db;
  readonly log: logs.Log;
  readonly metrics: metrics.Metrics;
  readonly shared: SharedStore | null;
  readonly store: Store;
  readonly mail: Mail;
  readonly traces: Traces | null;
  readonly isHttps: boolean;
  readonly operations: Operation[] = [];
  /** Set from SIGTERM on: not ready any more. */
  isStopping = false;
  readonly answerAlive: (request: IncomingMessage, response: ServerResponse) => boolean;
  readMetrics: () => Promise<string>;
  #document: string | undefined;
  readonly #paths = new Map<string, Map<string, Endpoint>>();

  constructor(config: Config, db: Db, log: logs.Log, traces: Traces | null) {
    this.config = config;
    this.db = db;
    this.traces = traces;
    if (traces) {
      db.watch((...about) => traces.statement(db.name, ...about));
    }
    this.log = log;
    this.metrics = new metrics.Metrics(() => db.pool());
    this.readMetrics = () => this.metrics.registry.metrics();
    this.shared = config.valkeyUrl === "" ? null : new SharedStore(config.valkeyUrl, log);
    this.store = this.shared ?? new MemoryStore();
    this.mail = new Mail(config, log, this.store, ABOUT.name, traces);
    this.isHttps = config.publicUrl.startsWith("https:");
    this.answerAlive = health.alive(this);
    this.express.disable("x-powered-by").disable("etag").set("query parser", false);
    this.express.enable("strict routing").enable("case sensitive routing");
  }

  /** An operation of the API: documented, checked, then handled. */
  route<const O extends Operation>(operation: O, handler: Handler<O>): void {
    this.operations.push(operation);
    this.#add(operation.path, operation.method, endpoint(this, operation, handler));
  }

  /** A page to GET that is no part of the API. */
  page(path: string, handler: Endpoint): void {
    this.#add(path, "get", handler);
  }

  /** A security event, and whom it is about: a log line and a count. */
  record(event: string, fields: { subject?: string; role?: string; factor?: string } = {}): void {
    this.log.info({ event, ...fields }, event);
    this.metrics.events.inc({ event });
  }

  /** Makes the routes known; called once, after every part has named its own. */
  mount(): void {
    for (const [path, methods] of this.#paths) {
      const allowed = [...methods.keys()].map((method) => method.toUpperCase());
      const allow = [...allowed, ...(methods.has("get") ? ["HEAD"] : []), "OPTIONS"]
        .sort()
        .join(", ");
      const pattern = path.replaceAll(/\{(\w+)\}/g, ":$1");
      this.express.all(pattern, (request, response) => {
        locals(response).route = path;
        return dispatch(methods, allow, request, response);
      });
    }
  }

  /** The OpenAPI document as it is sent; made when it is first wanted. */
  get document(): string {
    this.#document ??= JSON.stringify(openApi(this.about, this.operations));
    return this.#document;
  }

  /** Every request; that the process lives is said without Express. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (!this.answerAlive(request, response)) {
      this.express(request, response);
    }
  };

  async close(): Promise<void> {
    this.shared?.close();
    await this.db.close();
  }

  #add(path: string, method: string, handler: Endpoint): void {
    const methods = this.#paths.get(path) ?? new Map<string, Endpoint>();
    this.#paths.set(path, methods.set(method, handler));
  }
}

async function dispatch(
  methods: Map<string, Endpoint>,
  allow: string,
  request: Request,
  response: Response,
): Promise<void> {
  const method = request.method === "HEAD" ? "get" : request.method.toLowerCase();
  const handler = methods.get(method);
  if (handler) {
    await handler(request, response);
  } else if (method === "options") {
    response.writeHead(204, { Allow: allow }).end();
  } else {
    throw new errors.Problem("method-not-allowed", { headers: { Allow: allow } });
  }
}

export function createApp(
  config: Config,
  db: Db,
  log: logs.Log,
  traces: Traces | null = null,
): App {
  const app = new App(config, db, log, traces);
  logs.initApp(app);
  metrics.initApp(app);
  security.initApp(app);
  auth.initSessions(app);
  limits.initApp(app);
  health.initApp(app);
  pages.initApp(app);
  auth.initRoutes(app);
  users.initApp(app);
  notes.initApp(app);
  app.mount();
  errors.initApp(app);
  return app;
}
