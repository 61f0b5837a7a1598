/** Traces: spans of requests and of their statements, when somebody collects them. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";
import type { Context, Link, Span, TraceAPI, Tracer } from "@opentelemetry/api";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Config } from "./config.ts";
import { instanceOf } from "./errors.ts";

const PARENT =
  /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;
const UNTRACED = new Set(["/healthz", "/readyz", "/metrics"]);
const TABLE = /\b(?:FROM|INTO|UPDATE)\s+["`]?(\w+)/i;
const OPERATION = /^\s*(SELECT|INSERT|UPDATE|DELETE)\b/i;
const MOST_STATEMENTS = 1000;

// As the library numbers them; it is not loaded for these.
const KIND = { server: 1, client: 2, producer: 3 };
const ERROR = 2;

/** The span of the request that is being answered here. */
const active = new AsyncLocalStorage<Span | undefined>();

/** What an access line and a span both say at the end. */
export interface Outcome {
  method: string;
  route: string;
  status: number;
  userId: string | undefined;
}

export class Traces {
  readonly #tracer: Tracer;
  readonly #api: TraceAPI;
  readonly #root: Context;
  readonly #shutdown: () => Promise<void>;

  private constructor(tracer: Tracer, api: TraceAPI, root: Context, shutdown: () => Promise<void>) {
    this.#tracer = tracer;
    this.#api = api;
    this.#root = root;
    this.#shutdown = shutdown;
  }

  /** Late: who collects nothing does not load the library. It reads the other OTEL_ variables. */
  static async open(config: Pick<Config, "tracesName">, exporter?: SpanExporter): Promise<Traces> {
    const { trace, ROOT_CONTEXT } = await import("@opentelemetry/api");
    const sdk = await import("@opentelemetry/sdk-trace-base");
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-proto");
    const resources = await import("@opentelemetry/resources");
    const resource = resources
      .defaultResource()
      .merge(resources.detectResources({ detectors: [resources.envDetector] }))
      .merge(resources.resourceFromAttributes({ "service.name": config.tracesName }));
    const spanProcessors = [new sdk.BatchSpanProcessor(exporter ?? new OTLPTraceExporter())];
    const provider = new sdk.BasicTracerProvider({ resource, spanProcessors });
    return new Traces(provider.getTracer("app"), trace, ROOT_CONTEXT, () => provider.shutdown());
  }

  /** The span of a request, part of its caller's trace when it says so; probes have none. */
  begin(request: IncomingMessage, client: string, requestId: string): Span | undefined {
    const path = instanceOf(request.url ?? "/");
    if (UNTRACED.has(path)) {
      return undefined;
    }
    const [, traceId, spanId, flags] = PARENT.exec(String(request.headers.traceparent ?? "")) ?? [];
    const parent =
      traceId && spanId
        ? this.#api.setSpanContext(this.#root, {
            traceId,
            spanId,
            traceFlags: Number.parseInt(flags ?? "0", 16) & 1,
            isRemote: true,
          })
        : this.#root;
    const attributes = {
      "http.request.method": request.method ?? "",
      "url.path": path,
      "url.scheme": schemeOf(request),
      "client.address": client,
      "app.request_id": requestId,
    };
    return this.#tracer.startSpan("request", { kind: KIND.server, attributes }, parent);
  }

  end(span: Span, { method, route, status, userId }: Outcome): void {
    span.updateName(`${method} ${route}`);
    span.setAttributes({ "http.route": route, "http.response.status_code": status });
    if (userId !== undefined) {
      span.setAttribute("user.id", userId);
    }
    if (status >= 500) {
      span.setStatus({ code: ERROR });
    }
    span.end();
  }

  /** A statement that has ended: neither its text nor its values are told. */
  statement(system: string, text: string, milliseconds: number, isFine: boolean): void {
    const parent = active.getStore();
    const about = parent && describe(text);
    if (!parent || !about) {
      return;
    }
    const [operation, table] = about;
    const attributes = {
      "db.system.name": system,
      "db.operation.name": operation,
      "db.collection.name": table,
    };
    const startTime = performance.timeOrigin + performance.now() - milliseconds;
    const options = { kind: KIND.client, attributes, startTime };
    const context = this.#api.setSpan(this.#root, parent);
    const span = this.#tracer.startSpan(`${operation} ${table}`, options, context);
    if (!isFine) {
      span.setStatus({ code: ERROR });
    }
    span.end();
  }

  /** Sends a message: not a part of the request that asked for it, but linked to it. */
  async mail(cause: Span | undefined, send: () => Promise<void>): Promise<void> {
    const links: Link[] = cause ? [{ context: cause.spanContext() }] : [];
    const options = { kind: KIND.producer, links };
    const span = this.#tracer.startSpan("send mail", options, this.#root);
    try {
      await active.run(span, send);
    } catch (error) {
      span.setStatus({ code: ERROR });
      throw error;
    } finally {
      span.end();
    }
  }

  /** Sends what is left. */
  close(): Promise<void> {
    return this.#shutdown();
  }
}

/** What happens in here belongs to this span. */
export function within<T>(span: Span | undefined, work: () => T): T {
  return active.run(span, work);
}

/** What happens in here belongs to no request. */
export function outside<T>(work: () => T): T {
  return active.getStore() ? active.run(undefined, work) : work();
}

export function activeSpan(): Span | undefined {
  return active.getStore();
}

function schemeOf(request: IncomingMessage): string {
  return "encrypted" in request.socket ? "https" : "http";
}

const known = new Map<string, [string, string] | null>();

/** The first word, and the first table outside parentheses; null for BEGIN and the like. */
function describe(text: string): [string, string] | null {
  const found = known.get(text);
  if (found !== undefined) {
    return found;
  }
  let outer = text;
  for (let before = ""; before !== outer; ) {
    before = outer;
    outer = outer.replace(/\([^()]*\)/g, " ");
  }
  const operation = OPERATION.exec(outer)?.[1]?.toUpperCase();
  const table = TABLE.exec(outer)?.[1];
  const about: [string, string] | null = operation && table ? [operation, table] : null;
  if (known.size < MOST_STATEMENTS) {
    known.set(text, about);
  }
  return about;
}
