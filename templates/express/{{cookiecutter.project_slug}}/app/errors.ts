/** Every error leaves as problem details (RFC 9457). */
import type { NextFunction, Request, Response } from "express";
import type { App } from "./index.ts";
import { locals } from "./locals.ts";

const TITLES: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  428: "Precondition Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export const PROBLEMS = {
  "bad-request": [400, "The request could not be understood."],
  "malformed-json": [400, "The body is not valid JSON."],
  unauthenticated: [401, "Log in and send the session token."],
  "invalid-credentials": [401, "The e-mail address, the password or the code is wrong."],
  "second-factor-required": [401, "Send the code of the second factor as well."],
  "email-not-verified": [403, "Confirm your e-mail address first."],
  forbidden: [403, "You may not do this."],
  csrf: [403, "The request did not come from this site."],
  "not-found": [404, "There is nothing here."],
  "method-not-allowed": [405, "This method is not allowed here."],
  "not-acceptable": [406, "Only application/json is available."],
  conflict: [409, "The request conflicts with the current state."],
  "precondition-failed": [412, "The resource has changed since it was read."],
  "content-too-large": [413, "The body is larger than 1 MiB."],
  "unsupported-media-type": [415, "Send the body as application/json."],
  validation: [422, "The request did not pass validation."],
  "precondition-required": [428, "Send If-Match with the ETag you read."],
  "rate-limited": [429, "Too many requests; wait and try again."],
  "too-many-attempts": [429, "Too many failed attempts; wait and try again."],
  internal: [500, "Something went wrong on our side."],
  unavailable: [503, "A part we need is away; try again soon."],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemName = keyof typeof PROBLEMS;

export interface FieldError {
  pointer: string;
  detail: string;
}

interface More {
  detail?: string;
  headers?: Record<string, string>;
  members?: Record<string, unknown>;
  cause?: unknown;
}

/** The one error that services and routes raise; `errors` renders it. */
export class Problem extends Error {
  readonly problem: ProblemName;
  readonly status: number;
  readonly detail: string;
  readonly headers: Record<string, string>;
  readonly members: Record<string, unknown>;

  constructor(problem: ProblemName, more: More = {}) {
    super(problem, { cause: more.cause });
    this.problem = problem;
    this.status = PROBLEMS[problem][0];
    this.detail = more.detail ?? PROBLEMS[problem][1];
    this.headers = { ...usual(problem), ...more.headers };
    this.members = more.members ?? {};
  }
}

function usual(problem: ProblemName): Record<string, string> {
  if (problem === "unavailable") {
    return { "Retry-After": "5" };
  }
  const wantsToken = PROBLEMS[problem][0] === 401;
  return wantsToken ? { "WWW-Authenticate": "Bearer" } : {};
}

export function titleOf(problem: ProblemName): string {
  return TITLES[PROBLEMS[problem][0]] ?? "";
}

export function titles(): Record<number, string> {
  return TITLES;
}

export function problemBody(problem: Problem, instance: string, requestId: string): string {
  return JSON.stringify({
    type: `/problems/${problem.problem}`,
    title: titleOf(problem.problem),
    status: problem.status,
    detail: problem.detail,
    instance,
    request_id: requestId,
    ...problem.members,
  });
}

/** The path as it was sent, without its query and fit to be shown. */
export function instanceOf(url: string): string {
  const path = url.replace(/^[a-z]+:\/\/[^/?#]*/i, "").split(/[?#]/, 1)[0] || "/";
  return path.replace(
    /[^\x21-\x7e]/g,
    (char) => `%${Buffer.from(char, "latin1").toString("hex").toUpperCase()}`,
  );
}

export function initApp(app: App): void {
  app.express.use(() => {
    throw new Problem("not-found");
  });
  app.express.use((error: unknown, request: Request, response: Response, _: NextFunction) => {
    sendProblem(app, request, response, asProblem(app, error));
  });
}

function asProblem(app: App, error: unknown): Problem {
  if (error instanceof Problem) {
    return error;
  }
  // The router could not decode the path, so there cannot be anything there.
  if (error instanceof URIError) {
    return new Problem("not-found");
  }
  app.log.error({ err: error }, "unhandled error");
  return new Problem("internal", { cause: error });
}

const MINUTE = 60_000;
const said = new Map<string, number>();

/** Once a minute for one reason: a full disk must not be filled with its own log. */
function complain(app: App, { cause }: Problem): void {
  const reason = cause instanceof Error ? cause.message : "";
  const time = performance.now();
  if (cause && time - (said.get(reason) ?? -MINUTE) >= MINUTE) {
    said.set(reason, time);
    app.log.error({ err: cause }, `unavailable: ${reason}`);
  }
}

function sendProblem(app: App, request: Request, response: Response, problem: Problem): void {
  if (response.headersSent) {
    request.socket.destroy();
    return;
  }
  if (problem.problem === "unavailable") {
    complain(app, problem);
  }
  const body = problemBody(problem, instanceOf(request.originalUrl), locals(response).requestId);
  response.statusCode = problem.status;
  response.statusMessage = titleOf(problem.problem);
  for (const [name, value] of Object.entries(problem.headers)) {
    response.setHeader(name, value);
  }
  response.removeHeader("ETag");
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Type", "application/problem+json");
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}
