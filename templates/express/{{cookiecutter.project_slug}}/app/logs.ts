/** Log lines that carry the request id and never a secret. */
import { AsyncLocalStorage } from "node:async_hooks";
import { writeSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { NextFunction, Request, Response } from "express";
import { type Logger, pino } from "pino";
import { clientAddress } from "./clients.ts";
import type { Config } from "./config.ts";
import { newId, timestamp } from "./ids.ts";
import type { App } from "./index.ts";
import { locals } from "./locals.ts";
import { type Outcome, within } from "./traces.ts";

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;
const TRACE = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;

const STDOUT = 1;

type Fields = Record<string, string>;

const context = new AsyncLocalStorage<Fields>();

/** Adds to each line of this request that is yet to come. */
export function note(fields: Fields): void {
  Object.assign(context.getStore() ?? {}, fields);
}

export type Log = Logger;

let lines = "";

/** The lines of one turn of the event loop go out together: each write stops everybody. */
function write(line: string): void {
  if (lines === "") {
    setImmediate(flush);
  }
  lines += line;
}

function flush(): void {
  let bytes = Buffer.from(lines);
  lines = "";
  try {
    while (bytes.length > 0) {
      bytes = bytes.subarray(writeSync(STDOUT, bytes));
    }
  } catch {
    // Nobody is served worse because nobody reads the log.
  }
}

process.on("exit", flush);

export function createLog(config: Pick<Config, "logLevel" | "logFormat">): Log {
  const isText = config.logFormat === "text";
  return pino(
    {
      level: config.logLevel === "warning" ? "warn" : config.logLevel,
      base: null,
      messageKey: "message",
      timestamp: () => `,"time":"${timestamp()}"`,
      formatters: { level: (label) => ({ level: label === "warn" ? "warning" : label }) },
      serializers: { err: describe },
      mixin: () => ({ ...context.getStore() }),
    },
    isText ? { write: (line) => write(asText(line)) } : { write },
  );
}

/** Name, message and stack; never the statement or its values, which drivers add to errors. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return undefined;
  }
  return { name: error.name, message: error.message, stack: error.stack };
}

function asText(line: string): string {
  const { time, level, message, err, ...rest } = JSON.parse(line);
  const pairs = Object.entries(rest).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  const stack = err?.stack ? `\n${err.stack}` : "";
  return `${time} ${level} ${message}${pairs.join("")}${stack}\n`;
}

/** The client's own when it is well formed. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && REQUEST_ID.test(given) ? given : newId();
}

export function initApp(app: App): void {
  app.express.use((request: Request, response: Response, next: NextFunction) => {
    const started = performance.now();
    const known = locals(response);
    known.requestId = requestId(request);
    known.client = clientAddress(request, app.config.trustedProxies);
    known.route = "unmatched";
    known.isQuiet = false;
    known.visitor = null;
    known.headers = { "X-Request-Id": known.requestId };
    const span = app.traces?.begin(request, known.client, known.requestId);
    const trace = span?.spanContext().traceId ?? traceOf(request);
    const fields: Fields = {
      request_id: known.requestId,
      ...(trace ? { trace_id: trace } : {}),
      ...(span ? { span_id: span.spanContext().spanId } : {}),
    };
    response.on("close", () => {
      writeLine(app, request, response, fields, performance.now() - started);
      if (span) {
        app.traces?.end(span, outcome(request, response));
      }
    });
    context.run(fields, () => (span ? within(span, next) : next()));
  });
}

function traceOf(request: IncomingMessage): string | undefined {
  return TRACE.exec(String(request.headers.traceparent ?? ""))?.[1];
}

function outcome(request: Request, response: Response): Outcome {
  const { route, visitor } = locals(response);
  const { method } = request;
  return { method, route, status: response.statusCode, userId: visitor?.user.id };
}

function writeLine(
  app: App,
  request: Request,
  response: Response,
  fields: Fields,
  milliseconds: number,
): void {
  const known = locals(response);
  const line = {
    ...fields,
    method: request.method,
    route: known.route,
    status: response.statusCode,
    duration_ms: Math.round(milliseconds * 1000) / 1000,
    client: known.client,
  };
  if (known.isQuiet) {
    app.log.debug(line, "request");
  } else {
    app.log.info(line, "request");
  }
}
