/** One worker process: its HTTP server and its end. */
import cluster from "node:cluster";
import {
  createServer,
  type IncomingMessage,
  type Server,
  STATUS_CODES,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";
import { AggregatorRegistry } from "prom-client";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { DatabaseAway, Db } from "./db.ts";
import { Problem, problemBody } from "./errors.ts";
import { newId } from "./ids.ts";
import { type App, createApp } from "./index.ts";
import { createLog, type Log } from "./logs.ts";
import { securityHeaders } from "./security.ts";
import { bounded } from "./store.ts";
import { Traces } from "./traces.ts";

const EX_CONFIG = 78;
const LINGER = 1000;

/** What the process that supervises has to know. */
export type Settings = Pick<
  Config,
  "host" | "port" | "workers" | "shutdownSeconds" | "secretKeys" | "logLevel" | "logFormat"
>;

/** Serves; the first worker of all ends with a message when it cannot. */
export async function work(): Promise<void> {
  try {
    const config = readConfig(process.env);
    const { host, port, workers, shutdownSeconds, secretKeys, logLevel, logFormat } = config;
    const settings = { host, port, workers, shutdownSeconds, secretKeys, logLevel, logFormat };
    process.send?.({ type: "settings", settings });
    await start(config);
  } catch (error) {
    if (error instanceof ConfigError || error instanceof DatabaseAway) {
      process.stderr.write(`${error.message}\n`);
      process.exit(error instanceof ConfigError ? EX_CONFIG : 1);
    }
    throw error;
  }
}

async function start(config: Config): Promise<void> {
  const log = createLog(config);
  const db = await connect(config, log);
  const traces = config.tracesUrl === "" ? null : await Traces.open(config);
  const app = createApp(config, db, log, traces);
  await app.shared?.connected();
  app.readMetrics = shareMetrics(app);
  const server = serve(app);
  // As it would if it listened itself: from now on it looks for those who are too slow.
  server.emit("listening");
  process.on("message", (message: { type?: string }, socket?: Socket) => {
    if (message.type === "connection" && socket) {
      socket.allowHalfOpen = true;
      server.emit("connection", socket);
    }
  });
  process.send?.({ type: "ready" });
}

/** A replaced worker may start while the database is away: it waits for its return. */
async function connect(config: Config, log: Log): Promise<Db> {
  const isFirst = cluster.worker?.id === 1;
  for (;;) {
    const db = new Db(config);
    try {
      return await db.connect();
    } catch (error) {
      if (isFirst || !(error instanceof DatabaseAway)) {
        throw error;
      }
      log.error(error.message);
      await db.close();
      await sleep(1000);
    }
  }
}

/** The last answer of each connection that its client has not taken yet. */
const untaken = new WeakMap<Socket, ServerResponse>();

/** One request of a connection at a time: who asks much and reads nothing fills no memory. */
function inTurn(socket: Socket, response: ServerResponse, work: () => void): void {
  const before = untaken.get(socket);
  untaken.set(socket, response);
  response.on("close", () => untaken.get(socket) === response && untaken.delete(socket));
  if (before === undefined) {
    work();
  } else {
    before.once("close", () => socket.destroyed || work());
  }
}

/** A server that cuts slow clients and ends cleanly on a signal. */
function serve(app: App): Server {
  const limits = {
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 15_000,
    connectionsCheckingInterval: 1000,
    // Checked below: the server's own refusal would look like no other answer.
    requireHostHeader: false,
  };
  const server = createServer(limits);
  // Those who never read what they asked for are cut as well.
  server.timeout = 25_000;
  let inFlight = 0;
  let last = 0;
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    if (!app.isStopping && app.answerAlive(request, response)) {
      return;
    }
    inTurn(request.socket, response, () => {
      inFlight += 1;
      last = performance.now();
      response.on("close", () => {
        inFlight -= 1;
      });
      if (request.httpVersion === "1.1" && request.headers.host === undefined) {
        refuse(app, request.socket);
        return;
      }
      if (app.isStopping) {
        response.setHeader("Connection", "close");
      }
      app.express(request, response);
    });
  };
  server.on("request", handle);
  // The body is asked for only when it is wanted; other expectations are none of ours.
  server.on("checkContinue", handle);
  server.on("checkExpectation", handle);
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.on("connect", (_, socket) => refuse(app, socket));
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" || error.code === "ECONNRESET") {
      socket.destroy();
    } else {
      refuse(app, socket);
    }
  });
  const stop = async () => {
    if (!app.isStopping) {
      app.isStopping = true;
      last = performance.now();
      // One who keeps a connection may just be sending on it.
      const isBusy = () => inFlight > 0 || (open.size > 0 && performance.now() - last < LINGER);
      await end(app, server, isBusy);
    }
  };
  process.on("message", (message: { type?: string }) => message.type === "stop" && stop());
  // From a terminal they reach all processes; the first one says when to end.
  process.on("SIGTERM", () => undefined);
  process.on("SIGINT", () => undefined);
  return server;
}

async function end(app: App, server: Server, isBusy: () => boolean): Promise<void> {
  const deadline = performance.now() + app.config.shutdownSeconds * 1000;
  while (performance.now() < deadline) {
    // What has come until now is read before it is asked whether anything goes on.
    await immediate();
    if (!isBusy()) {
      break;
    }
    await sleep(20);
  }
  server.closeAllConnections();
  await app.mail.stop(deadline - performance.now());
  await app.close().catch((error: unknown) => app.log.error({ err: error }, "closing failed"));
  await flush(app.traces, deadline - performance.now());
  process.exit(0);
}

/** A collector that is away or slow holds up nothing. */
async function flush(traces: Traces | null, milliseconds: number): Promise<void> {
  if (traces) {
    await bounded(traces.close(), Math.max(milliseconds, LINGER)).catch(() => undefined);
  }
}

/** What is no HTTP gets the same kind of answer as everything else. */
function refuse(app: App, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const id = newId();
  const body = problemBody(new Problem("bad-request"), "/", id);
  const headers = {
    ...securityHeaders(app.config.publicUrl),
    "X-Request-Id": id,
    "Cache-Control": "no-store",
    "Content-Type": "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 400 ${STATUS_CODES[400]}`, ...lines, "", body].join("\r\n"));
}

/** The metrics of all workers, from the process that knows them; this one's when it is silent. */
function shareMetrics(app: App): () => Promise<string> {
  const waiting = new Map<number, (text: string | null) => void>();
  let last = 0;
  new AggregatorRegistry();
  AggregatorRegistry.setRegistries([app.metrics.registry]);
  process.on("message", (message: { type?: string; id?: number; text?: string | null }) => {
    if (message?.type === "metrics" && message.id !== undefined) {
      waiting.get(message.id)?.(message.text ?? null);
      waiting.delete(message.id);
    }
  });
  return async () => {
    last += 1;
    const { promise, resolve } = Promise.withResolvers<string | null>();
    waiting.set(last, resolve);
    process.send?.({ type: "metrics", id: last });
    return (await promise) ?? app.metrics.registry.metrics();
  };
}
