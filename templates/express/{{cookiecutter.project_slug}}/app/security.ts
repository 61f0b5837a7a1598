/** Security headers, CORS and the origin check. */
import { ServerResponse } from "node:http";
import type { NextFunction, Request, Response } from "express";
import { Problem } from "./errors.ts";
import type { App } from "./index.ts";
import { locals } from "./locals.ts";

const API_POLICY =
  "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const EXPOSED = "ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id";
const PREFLIGHT = {
  "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
  "Access-Control-Allow-Headers":
    "Authorization, Content-Type, If-Match, If-None-Match, X-Request-Id",
  "Access-Control-Max-Age": "600",
};
const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** The headers of every answer. */
export function securityHeaders(publicUrl: string): Record<string, string> {
  return {
    "Content-Security-Policy": API_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy":
      "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), " +
      "microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
    ...(publicUrl.startsWith("https:")
      ? { "Strict-Transport-Security": "max-age=63072000; includeSubDomains" }
      : {}),
  };
}

/** What a page for people needs instead: its own scripts and styles. */
export function pageHeaders(): Record<string, string> {
  return {
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "strict-origin-when-cross-origin",
  };
}

export function initApp(app: App): void {
  const origins = new Set(app.config.corsOrigins);
  const constant = {
    ...securityHeaders(app.config.publicUrl),
    ...(origins.size > 0 ? { Vary: "Origin" } : {}),
  };
  complete(app);
  app.express.use((request: Request, response: Response, next: NextFunction) => {
    const { headers } = locals(response);
    Object.assign(headers, constant);
    const origin = request.headers.origin;
    if (origin === undefined || !origins.has(origin)) {
      next();
      return;
    }
    headers["Access-Control-Allow-Origin"] = origin;
    headers["Access-Control-Allow-Credentials"] = "true";
    headers["Access-Control-Expose-Headers"] = EXPOSED;
    if (request.method === "OPTIONS" && request.headers["access-control-request-method"]) {
      response.writeHead(204, PREFLIGHT).end();
      return;
    }
    next();
  });
}

/** What every answer carries goes into its head at once, whoever sends it. */
function complete(app: App): void {
  const { writeHead } = ServerResponse.prototype;
  app.express.response.writeHead = function (this: Response, status: number, ...rest: unknown[]) {
    const { headers } = locals(this);
    const [given] = rest;
    const isPlain = typeof given === "object" && !Array.isArray(given);
    if (isPlain && this.getHeaderNames().length === 0) {
      return writeHead.call(this, status, { ...headers, ...given });
    }
    for (const [name, value] of Object.entries(headers)) {
      if (!this.hasHeader(name)) {
        this.setHeader(name, value);
      }
    }
    return Reflect.apply(writeHead, this, [status, ...rest]);
  };
}

/** A cookie is sent by the browser on anyone's behalf: what it changes must come from our pages. */
export function checkOrigin(app: App, request: Request): void {
  if (SAFE.has(request.method)) {
    return;
  }
  const site = request.headers["sec-fetch-site"];
  const origin = request.headers.origin ?? "";
  const isOurs =
    site === undefined
      ? origin === app.config.publicUrl || app.config.corsOrigins.includes(origin)
      : site === "same-origin" || site === "none";
  if (!isOurs) {
    throw new Problem("csrf");
  }
}
