/** Configuration from the environment, checked before anything starts. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { availableParallelism } from "node:os";
import { AddressError } from "./databases/address.ts";
import { databases, defaultUrl } from "./databases/index.ts";

/** What this app is called. */
export interface About {
  name: string;
  version: string;
}

export const ABOUT: About = JSON.parse(
  readFileSync(new URL("data/about.json", import.meta.url), "utf8"),
);

const EXAMPLE_SECRET = "example-only-make-setup-writes-a-fresh-one";
const SECONDS: Record<string, number> = { second: 1, minute: 60, hour: 3600, day: 86_400 };

export interface Quota {
  requests: number;
  seconds: number;
}

export type Config = ReturnType<typeof read>;

/** Every bad variable at once: what it was and what it may be. */
export class ConfigError extends Error {
  constructor(lines: string[]) {
    super(["Configuration error:", ...lines].join("\n"));
  }
}

export function readConfig(env: NodeJS.ProcessEnv): Config {
  const source = new Source(env);
  const config = read(source);
  if (source.errors.length > 0) {
    throw new ConfigError(source.errors);
  }
  return config;
}

/** The environment, and what is wrong with it so far. */
class Source {
  readonly #env: NodeJS.ProcessEnv;
  readonly errors: string[] = [];

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** What stands there, without the blanks of a slip in quoting. */
  text(name: string): string {
    return (this.#env[name] ?? "").trim();
  }

  refuse(name: string, value: string, allowed: string): void {
    this.errors.push(`${name}=${value}: ${allowed}`);
  }

  value<T>(name: string, fallback: T, parse: (raw: string) => T | undefined, allowed: string): T {
    const raw = this.text(name);
    if (raw === "") {
      return fallback;
    }
    try {
      const parsed = parse(raw);
      if (parsed !== undefined) {
        return parsed;
      }
      this.refuse(name, masked(raw), allowed);
    } catch (error) {
      if (!(error instanceof AddressError)) {
        throw error;
      }
      this.refuse(name, masked(raw), error.message);
    }
    return fallback;
  }

  choice<T extends string>(name: string, fallback: T, choices: readonly T[]): T {
    const parse = (raw: string) => choices.find((choice) => choice === raw);
    return this.value(name, fallback, parse, `one of ${choices.join(", ")}`);
  }

  integer(name: string, fallback: number, least: number, most: number): number {
    const parse = (raw: string) => {
      const number = /^\d{1,9}$/.test(raw) ? Number(raw) : -1;
      return number >= least && number <= most ? number : undefined;
    };
    return this.value(name, fallback, parse, `a whole number from ${least} to ${most}`);
  }

  flag(name: string, fallback: boolean): boolean {
    const parse = (raw: string) => (raw === "true" || raw === "false" ? raw === "true" : undefined);
    return this.value(name, fallback, parse, "true or false");
  }

  quota(name: string, fallback: Quota): Quota {
    const parse = (raw: string) => {
      const [, count, unit] = /^([1-9]\d{0,5})\/(second|minute|hour|day)$/.exec(raw) ?? [];
      return count && unit ? { requests: Number(count), seconds: SECONDS[unit] ?? 60 } : undefined;
    };
    return this.value(name, fallback, parse, "N/second, N/minute, N/hour or N/day");
  }
}

/** Without what may be a password. */
function masked(raw: string): string {
  return raw.replace(/^([^/]*\/\/).*@/, "$1***@");
}

function read(source: Source) {
  const environment = source.choice("APP_ENV", "development", [
    "development",
    "test",
    "production",
  ]);
  const isProduction = environment === "production";
  const forms = [...databases.values()].map((database) => database.form).join(" or ");
  return {
    environment,
    isProduction,
    host: source.value("HOST", "127.0.0.1", parseHost, "an address or host name to listen on"),
    port: source.integer("PORT", 8000, 0, 65_535),
    databaseUrl: source.value("DATABASE_URL", defaultUrl(), parseDatabaseUrl, forms),
    databasePoolSize: source.integer("DATABASE_POOL_SIZE", 10, 1, 1000),
    valkeyUrl: source.value("VALKEY_URL", "", parseValkeyUrl, "redis://HOST:PORT/0, or empty"),
    secretKeys: readSecrets(source, isProduction),
    publicUrl: source.value(
      "PUBLIC_URL",
      "http://localhost:8000",
      parseOrigin,
      "an origin like https://example.com",
    ),
    corsOrigins: source.value(
      "CORS_ORIGINS",
      [],
      parseOrigins,
      "exact origins like https://example.com, comma-separated; * is refused",
    ),
    trustedProxies: source.integer("TRUSTED_PROXIES", 0, 0, 100),
    sessionIdleDays: source.integer("SESSION_IDLE_DAYS", 14, 1, 3650),
    sessionMaxDays: source.integer("SESSION_MAX_DAYS", 90, 1, 3650),
    requireVerifiedEmail: source.flag("REQUIRE_VERIFIED_EMAIL", false),
    rateLimit: source.quota("RATE_LIMIT", { requests: 300, seconds: 60 }),
    rateLimitAuth: source.quota("RATE_LIMIT_AUTH", { requests: 20, seconds: 60 }),
    mailUrl: readMailUrl(source, isProduction),
    mailFrom: source.value("MAIL_FROM", "app@localhost", parseAddress, "an e-mail address"),
    logLevel: source.choice("LOG_LEVEL", "info", ["debug", "info", "warning", "error"]),
    logFormat: source.choice("LOG_FORMAT", isProduction ? "json" : "text", ["json", "text"]),
    metricsToken: source.text("METRICS_TOKEN"),
    workers: source.integer("WEB_CONCURRENCY", availableParallelism(), 1, 1024),
    shutdownSeconds: source.integer("SHUTDOWN_SECONDS", 20, 0, 3600),
    tracesUrl: readTracesUrl(source),
    tracesName: source.text("OTEL_SERVICE_NAME") || ABOUT.name,
  };
}

function readSecrets(source: Source, isProduction: boolean): string[] {
  const keys = source
    .text("SECRET_KEYS")
    .split(",")
    .map((key) => key.trim())
    .filter((key) => key !== "");
  const weak = keys.some((key) => Buffer.byteLength(key) < 32 || key === EXAMPLE_SECRET);
  if (isProduction && (weak || keys.length === 0)) {
    const allowed =
      "secrets of at least 32 bytes, comma-separated, none of them the example (make setup writes one)";
    source.refuse("SECRET_KEYS", keys.length === 0 ? "" : "***", allowed);
  }
  return keys.length > 0 ? keys : [randomBytes(32).toString("base64url")];
}

/** Not to the terminal in production: whoever reads the log could use the one-time links. */
function readMailUrl(source: Source, isProduction: boolean): string {
  const raw = source.text("MAIL_URL") || "console:";
  const isFile = /^file:\P{Cc}+$/u.test(raw);
  const isConsole = raw === "console:" && !isProduction;
  if (!isFile && !isConsole && !parseMailServer(raw)) {
    const sent = "file:DIR, smtp://USER:PASSWORD@HOST:PORT or smtps://…";
    const allowed = isProduction
      ? `${sent}, because console: shows one-time links`
      : `console:, ${sent}`;
    source.refuse("MAIL_URL", raw.includes("@") ? "***" : raw, allowed);
  }
  return raw;
}

function readTracesUrl(source: Source): string {
  const raw = source.text("OTEL_EXPORTER_OTLP_ENDPOINT");
  const url = parseUrl(raw);
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  if (raw !== "" && !(isWeb && /^https?:\/\/[^/]/.test(raw))) {
    const shown = raw.includes("@") ? "***" : raw;
    source.refuse("OTEL_EXPORTER_OTLP_ENDPOINT", shown, "empty, or an http or https URL");
  }
  return raw;
}

export interface MailServer {
  host: string;
  port: number;
  isTls: boolean;
  auth: { user: string; pass: string } | null;
}

const MAIL_SERVER =
  /^(smtps?):\/\/(?:([^\s@/:?#]+):([^\s@/?#]+)@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?\/?$/;

/** What an smtp:// or smtps:// address says. */
export function parseMailServer(raw: string): MailServer | undefined {
  const [, scheme, user, pass, place = "", digits] = MAIL_SERVER.exec(raw) ?? [];
  const host = place.replace(/^\[|\]$/g, "");
  const port = Number(digits ?? (scheme === "smtps" ? 465 : 587));
  const auth = user && pass ? { user: unescaped(user), pass: unescaped(pass) } : null;
  const isReadable = auth === null || (PRINTABLE.test(auth.user) && PRINTABLE.test(auth.pass));
  const isPlace = (host === place || isIPv6(host)) && port >= 1 && port <= 65_535;
  return scheme && isPlace && isReadable
    ? { host, port, isTls: scheme === "smtps", auth }
    : undefined;
}

const PRINTABLE = /^[\x20-\x7e]+$/;

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

// As everywhere, but a machine's own name is fine too.
const ADDRESS =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

function parseAddress(raw: string): string | undefined {
  return raw.length <= 254 && ADDRESS.test(raw) ? raw : undefined;
}

function parseHost(raw: string): string | undefined {
  return /^[A-Za-z0-9.:_-]{1,253}$/.test(raw) ? raw : undefined;
}

function parseUrl(raw: string): URL | undefined {
  return URL.canParse(raw) ? new URL(raw) : undefined;
}

function parseDatabaseUrl(raw: string): string | undefined {
  const url = parseUrl(raw);
  const database = url && databases.get(url.protocol.slice(0, -1));
  return database?.accepts(url as URL) ? raw : undefined;
}

function parseValkeyUrl(raw: string): string | undefined {
  const url = parseUrl(raw);
  const known = url && ["redis:", "rediss:"].includes(url.protocol);
  return known && url.hostname && /^(?:\/\d*)?$/.test(url.pathname) ? raw : undefined;
}

function parseOrigin(raw: string): string | undefined {
  const url = parseUrl(raw);
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  return url && isWeb && raw.replace(/\/$/, "") === url.origin ? url.origin : undefined;
}

function parseOrigins(raw: string): string[] | undefined {
  const origins = raw.split(",").map((origin) => parseOrigin(origin.trim()));
  return origins.every((origin) => origin !== undefined) ? origins : undefined;
}
