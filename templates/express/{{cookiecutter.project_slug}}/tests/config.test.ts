/** Configuration is checked before anything starts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, readConfig } from "../app/config.ts";
import { defaultUrl } from "../app/databases/index.ts";

const GOOD = "a-secret-of-its-own-with-more-than-32-bytes";

function refusal(environment: Record<string, string>): string[] {
  try {
    readConfig(environment);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split("\n");
  }
  return [];
}

test("every bad variable is named at once", () => {
  const lines = refusal({
    APP_ENV: "holiday",
    DATABASE_URL: "nonsense://here",
    PORT: "99999",
    RATE_LIMIT: "often",
    SHUTDOWN_SECONDS: "-1",
  });
  assert.equal(lines[0], "Configuration error:");
  const named = lines.slice(1).map((line) => line.split(":")[0]);
  assert.deepEqual(named.sort(), [
    "APP_ENV=holiday",
    "DATABASE_URL=nonsense",
    "PORT=99999",
    "RATE_LIMIT=often",
    "SHUTDOWN_SECONDS=-1",
  ]);
});

test("production refuses a short secret", () => {
  for (const keys of ["", "too-short", `${GOOD},too-short`]) {
    const [, line = ""] = refusal({ APP_ENV: "production", SECRET_KEYS: keys });
    assert.match(line, /^SECRET_KEYS=/);
    assert.ok(!line.includes("too-short"), "a secret is not shown");
  }
  const good = { APP_ENV: "production", SECRET_KEYS: GOOD, MAIL_URL: "file:mails" };
  assert.deepEqual(refusal(good), []);
});

test("production refuses the example secret", () => {
  const example = "example-only-make-setup-writes-a-fresh-one";
  assert.match(
    refusal({ APP_ENV: "production", SECRET_KEYS: example })[1] ?? "",
    /^SECRET_KEYS=\*\*\*/,
  );
  assert.deepEqual(refusal({ APP_ENV: "development", SECRET_KEYS: example }), []);
});

test("star is refused as a cors origin", () => {
  for (const origins of ["*", "https://example.com,*"]) {
    assert.match(refusal({ CORS_ORIGINS: origins })[1] ?? "", /^CORS_ORIGINS=.*\*/);
  }
  const { corsOrigins } = readConfig({ CORS_ORIGINS: "https://a.example, https://b.example" });
  assert.deepEqual(corsOrigins, ["https://a.example", "https://b.example"]);
});

test("console mail is refused in production", () => {
  const production = { APP_ENV: "production", SECRET_KEYS: GOOD };
  for (const url of ["", "console:"]) {
    const [, line = ""] = refusal({ ...production, MAIL_URL: url });
    assert.match(line, /^MAIL_URL=console:: file:DIR, .*one-time links$/);
  }
  assert.deepEqual(refusal({ ...production, MAIL_URL: "smtps://u:p%40ss@mail.example" }), []);
  const [, wrong = ""] = refusal({ MAIL_URL: "smtp://user:secret@mail.example:99999" });
  assert.match(wrong, /^MAIL_URL=\*\*\*: console:, file:DIR, /);
});

test("the database address takes sslmode and nothing else", () => {
  const isFile = new URL(defaultUrl()).host === "";
  const refused: Record<string, RegExp> = isFile
    ? { "sslmode=require": /sslmode is no parameter here; there are none$/ }
    : {
        "sslmode=prefer": /sslmode may be disable, require or verify-full$/,
        "sslmode=disable&sslmode=require": /sslmode may stand only once/,
        "sslmode=require&sslrootcert=package.json": /sslrootcert needs sslmode=verify-full$/,
        "sslmode=verify-full&sslrootcert=package.json":
          /must name a readable file of certificates$/,
        "colour=blue": /colour is no parameter here; there are sslmode and sslrootcert$/,
      };
  for (const [parameters, reason] of Object.entries(refused)) {
    const [, line = ""] = refusal({ DATABASE_URL: `${defaultUrl()}?${parameters}` });
    assert.match(line, /^DATABASE_URL=/);
    assert.match(line, reason);
  }
  for (const mode of isFile ? [] : ["disable", "require", "verify-full"]) {
    assert.deepEqual(refusal({ DATABASE_URL: `${defaultUrl()}?sslmode=${mode}` }), []);
  }
});

test("traces go to an http address or nowhere", () => {
  for (const url of ["collector:4318", "ftp://collector", "http://"]) {
    const [, line = ""] = refusal({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
    assert.equal(line, `OTEL_EXPORTER_OTLP_ENDPOINT=${url}: empty, or an http or https URL`);
  }
  for (const url of ["", "http://collector:4318", "https://collector.example/otlp"]) {
    assert.deepEqual(refusal({ OTEL_EXPORTER_OTLP_ENDPOINT: url }), []);
  }
});
