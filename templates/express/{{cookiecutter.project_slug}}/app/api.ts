/** The route layer: what a request must be, and the OpenAPI document that says so. */
import type { Request, Response } from "express";
import type { z } from "zod";
import type { User } from "./auth/model.ts";
import type { LiveSession } from "./auth/sessions.ts";
import { checkLength, checkMediaType, readJson } from "./bodies.ts";
import { type FieldError, Problem } from "./errors.ts";
import { parseId } from "./ids.ts";
import type { App } from "./index.ts";
import { locals } from "./locals.ts";
import { checkOrigin } from "./security.ts";
import { BAD_TEXT, checkText, invalid, isBadText, validate } from "./validation.ts";

type Method = "get" | "post" | "patch" | "delete";

export interface Operation {
  method: Method;
  path: string;
  id: string;
  tag: string;
  summary: string;
  status: number;
  access: "anyone" | "user" | "admin" | "probe";
  result?: z.ZodType;
  body?: z.ZodType;
  query?: z.ZodType;
  media?: readonly string[];
  precondition?: "match" | "none";
  hasLocation?: boolean;
  problems?: readonly number[];
}

interface Call<O extends Operation> {
  request: Request;
  response: Response;
  id: string;
  body: O["body"] extends z.ZodType ? z.output<O["body"]> : undefined;
  query: O["query"] extends z.ZodType ? z.output<O["query"]> : undefined;
  user: O["access"] extends "user" | "admin" ? User : null;
  session: O["access"] extends "user" | "admin" ? LiveSession : null;
}

export interface Answer {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export type Handler<O extends Operation> = (call: Call<O>) => Promise<Answer>;
export type Endpoint = (request: Request, response: Response) => Promise<void>;

/** The checks in their order, then the handler. */
export function endpoint<O extends Operation>(
  app: App,
  operation: O,
  handler: Handler<O>,
): Endpoint {
  // Most ask for nothing in particular: what that means is found out once.
  const unasked = operation.query && validate(operation.query, {}, "#/query");
  const ask = (request: Request) =>
    operation.query && request.originalUrl.includes("?")
      ? validate(operation.query, readQuery(request), "#/query")
      : unasked;
  return async (request, response) => {
    if (operation.access !== "probe") {
      checkVisitor(app, operation, request, response);
    }
    const body = await readBody(operation, request, response);
    const visitor = locals(response).visitor;
    const call = {
      request,
      response,
      id: operation.path.includes("{id}") ? readId(request) : "",
      body,
      query: ask(request),
      user: visitor?.user ?? null,
      session: visitor?.session ?? null,
    };
    send(operation, response, await handler(call as unknown as Call<O>));
  };
}

function checkVisitor(app: App, operation: Operation, request: Request, response: Response): void {
  const { visitor, tokenRefused } = locals(response);
  if (operation.access === "anyone") {
    return;
  }
  if (!visitor) {
    const challenge = tokenRefused ? 'Bearer error="invalid_token"' : "Bearer";
    throw new Problem("unauthenticated", { headers: { "WWW-Authenticate": challenge } });
  }
  if (visitor.isCookie) {
    checkOrigin(app, request);
  }
  if (operation.access === "admin" && visitor.user.role !== "admin") {
    throw new Problem("forbidden");
  }
}

async function readBody(
  operation: Operation,
  request: Request,
  response: Response,
): Promise<unknown> {
  const { body, access } = operation;
  if (body) {
    checkLength(request);
    checkMediaType(request, operation.media ?? ["application/json"]);
  }
  if (access !== "probe") {
    checkAccept(request);
  }
  if (!body) {
    return undefined;
  }
  const value = await readJson(request, response);
  checkText(value);
  return validate(body, value);
}

const ACCEPTED = new Set(["*/*", "application/*", "application/json", "application/problem+json"]);

function checkAccept(request: Request): void {
  const ranges = (request.headers.accept || "*/*").toLowerCase().split(",");
  const isFine = ranges.some((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    return ACCEPTED.has(type) && !parameters.some((part) => /^q=0(?:\.0*)?$/.test(part));
  });
  if (!isFine) {
    throw new Problem("not-acceptable");
  }
}

function readQuery(request: Request): Record<string, string> {
  const [, raw = ""] = /\?([^#]*)/.exec(request.originalUrl) ?? [];
  const values = new Map<string, string>();
  const wrong: FieldError[] = [];
  for (const pair of raw.split("&").filter((part) => part !== "")) {
    const [name = "", ...rest] = pair.split("=");
    const key = decode(name);
    const value = decode(rest.join("="));
    const pointer = `#/query/${encodeURIComponent(key)}`;
    if (values.has(key)) {
      wrong.push({ pointer, detail: "must not repeat" });
    } else if (isBadText(value)) {
      wrong.push({ pointer, detail: BAD_TEXT });
    }
    values.set(key, value);
  }
  if (wrong.length > 0) {
    throw invalid(wrong);
  }
  return Object.fromEntries(values);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new Problem("bad-request");
  }
}

function readId(request: Request): string {
  const id = parseId(String(request.params.id));
  if (id === null) {
    throw new Problem("not-found");
  }
  return id;
}

function send(operation: Operation, response: Response, answer: Answer): void {
  const status = answer.status ?? operation.status;
  const headers = { "Cache-Control": "no-store", ...answer.headers };
  if (answer.body === undefined) {
    response.writeHead(status, headers).end();
    return;
  }
  const text = JSON.stringify(answer.body);
  const about = {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  };
  response.writeHead(status, { ...headers, ...about }).end(text);
}
