/** Commands for operators: make the first admin, write the OpenAPI document. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "yaml";
import { normalizeEmail, Users } from "./auth/model.ts";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { DatabaseAway, Db } from "./db.ts";
import { timestamp } from "./ids.ts";
import { createApp } from "./index.ts";
import { createLog } from "./logs.ts";
import { MigrationFailed, migrate, openForMigrations, undo } from "./migrations.ts";

const ROOT = new URL("../", import.meta.url);
const USAGE = `Usage: node app/commands.ts COMMAND

  env              write .env with fresh secrets, unless it is there
  migrate          bring the database up to date
  migration NAME   write an empty migration
  rollback         undo the last migration
  admin EMAIL      make a registered user an admin
  openapi [--check]  write openapi.yaml from the code, or say whether it is stale
`;

/** What went wrong, as a sentence for the operator. */
class Failure extends Error {}

const OURS = [ConfigError, DatabaseAway, Failure, MigrationFailed];

const COMMANDS: Record<string, (argument: string) => Promise<string>> = {
  env: async () => writeEnv(),
  migrate: () => onDatabase(async (db) => report(await migrate(db))),
  rollback: () => onDatabase(rollBack),
  migration: async (name) => writeMigration(name),
  admin: (email) => onDatabase((db) => makeAdmin(db, email)),
  openapi: async (flag) => writeDocument(flag === "--check"),
};

function writeEnv(): string {
  const file = new URL(".env", ROOT);
  if (existsSync(file)) {
    return ".env is there already and stays as it is.";
  }
  const example = readFileSync(new URL(".env.example", ROOT), "utf8");
  const secret = randomBytes(32).toString("base64url");
  const text = example.replace(/^SECRET_KEYS=.*$/m, `SECRET_KEYS=${secret}`);
  writeFileSync(file, text, { mode: 0o600, flag: "wx" });
  return "Wrote .env with fresh secrets.";
}

async function onDatabase(work: (db: Db) => Promise<string>): Promise<string> {
  const db = await openForMigrations(readConfig(process.env));
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

function report(names: string[]): string {
  return names.length === 0 ? "The database is up to date." : `Migrated: ${names.join(", ")}.`;
}

async function rollBack(db: Db): Promise<string> {
  const name = await undo(db);
  if (name === null) {
    throw new Failure("There is nothing to undo.");
  }
  return `Undid ${name}.`;
}

function writeMigration(name: string): string {
  if (!/^[a-z][a-z0-9_]{0,60}$/.test(name)) {
    throw new Failure("Say what changes, in small letters and underscores: NAME=add_colour");
  }
  const folder = new URL("migrations/", ROOT);
  const number = readdirSync(folder).filter((file) => file.endsWith(".ts")).length + 1;
  const file = `${String(number).padStart(4, "0")}_${name}.ts`;
  const words = name.split("_").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  writeFileSync(new URL(file, folder), skeleton(`${words.join("")}${Date.now()}`), { flag: "wx" });
  return `Wrote migrations/${file}: say in it what changes, and how to undo it.`;
}

function skeleton(name: string): string {
  return `import type { MigrationInterface, QueryRunner } from "typeorm";

export class ${name} implements MigrationInterface {
  readonly name = "${name}";

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query("");
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query("");
  }
}
`;
}

async function makeAdmin(db: Db, email: string): Promise<string> {
  const changes = { role: "admin", updated_at: timestamp() } as const;
  const result = await db.run((manager) =>
    manager.update(Users, { email_normalized: normalizeEmail(email) }, changes),
  );
  if (!result.affected) {
    throw new Failure(`Nobody has registered as ${email}.`);
  }
  return `${email} is an admin now.`;
}

/** The document as this code makes it; no database is asked. */
export function currentDocument(config: Config): unknown {
  const log = createLog(config);
  return JSON.parse(createApp({ ...config, valkeyUrl: "" }, new Db(config), log).document);
}

function writeDocument(isCheck: boolean): string {
  const file = new URL("openapi.yaml", ROOT);
  const document = currentDocument(readConfig(process.env));
  if (!isCheck) {
    const options = { sortMapEntries: true, aliasDuplicateObjects: false, lineWidth: 0 };
    writeFileSync(file, stringify(document, options));
    return "Wrote openapi.yaml.";
  }
  if (!existsSync(file) || !isDeepStrictEqual(parse(readFileSync(file, "utf8")), document)) {
    throw new Failure("openapi.yaml is stale; run make openapi.");
  }
  return "openapi.yaml is fresh.";
}

async function main([name = "", argument = ""]: string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    process.stderr.write(USAGE);
    return 2;
  }
  if (existsSync(".env")) {
    process.loadEnvFile(".env");
  }
  try {
    process.stdout.write(`${await command(argument)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof Error && OURS.some((kind) => error instanceof kind)) {
      process.stderr.write(`${error.message}\n`);
      return error instanceof ConfigError ? 78 : 1;
    }
    throw error;
  }
}

if (import.meta.main) {
  process.exitCode = await main(process.argv.slice(2));
}
