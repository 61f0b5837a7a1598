/** The pages people read: API reference, problem types and security contact. */
import { readFileSync } from "node:fs";
import type { Response } from "express";
import { PROBLEMS, Problem, type ProblemName, titleOf } from "./errors.ts";
import { DAY, now, timestamp } from "./ids.ts";
import type { App } from "./index.ts";
import { pageHeaders } from "./security.ts";

const HTML = "text/html; charset=utf-8";
const PAGES = {
  "/docs": "docs.html",
  "/verify-email": "verify-email.html",
  "/reset-password": "reset-password.html",
};
const ASSETS = {
  "account.js": "text/javascript; charset=utf-8",
  "docs.css": "text/css; charset=utf-8",
  "docs.js": "text/javascript; charset=utf-8",
};

export function initApp(app: App): void {
  for (const [path, name] of Object.entries(PAGES)) {
    const body = read(`static/${name}`);
    app.page(path, async (_, response) => sendPage(response, body));
  }
  for (const [name, type] of Object.entries(ASSETS)) {
    const body = read(`static/${name}`);
    app.page(`/static/${name}`, async (_, response) =>
      send(response, body, type, "public, max-age=3600"),
    );
  }
  app.page("/problems/{id}", async (request, response) => {
    const name = String(request.params.id);
    if (!Object.hasOwn(PROBLEMS, name)) {
      throw new Problem("not-found");
    }
    sendPage(response, explain(name as ProblemName));
  });
  const contact = securityContact(app);
  app.page("/.well-known/security.txt", async (_, response) =>
    send(response, contact, "text/plain; charset=utf-8", "no-cache"),
  );
  app.page("/openapi.json", async (_, response) =>
    send(response, app.document, "application/json", "no-cache"),
  );
}

function read(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}

function send(response: Response, body: string, type: string, cache: string): void {
  response.setHeader("Content-Type", type);
  response.setHeader("Cache-Control", cache);
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}

function sendPage(response: Response, body: string): void {
  for (const [name, value] of Object.entries(pageHeaders())) {
    response.setHeader(name, value);
  }
  send(response, body, HTML, "no-cache");
}

function explain(name: ProblemName): string {
  const [status, detail] = PROBLEMS[name];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}</title>
<link rel="stylesheet" href="/static/docs.css">
</head>
<body>
<main>
<h1>${name}</h1>
<p>${detail}</p>
<p>Status: ${status} ${titleOf(name)}</p>
<p><a href="/docs">API reference</a></p>
</main>
</body>
</html>
`;
}

/** RFC 9116 */
function securityContact(app: App): string {
  const expires = timestamp(now() + 365 * DAY).replace(/\.\d+Z$/, "Z");
  return [
    `Contact: mailto:${read("data/contact.txt").trim()}`,
    `Expires: ${expires}`,
    `Canonical: ${app.config.publicUrl}/.well-known/security.txt`,
    "",
  ].join("\n");
}
