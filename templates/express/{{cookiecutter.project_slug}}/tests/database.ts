/** A database of the tests' own, and what they change behind the API's back. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Users } from "../app/auth/model.ts";
import { readConfig } from "../app/config.ts";
import { defaultUrl } from "../app/databases/index.ts";
import { Db } from "../app/db.ts";
import { migrate, openForMigrations } from "../app/migrations.ts";

export interface OwnDatabase {
  url: string;
  remove: () => Promise<void>;
}

const given = new URL(process.env.DATABASE_URL || defaultUrl());
const isFile = given.host === "" && given.search === "";

export function makeDatabase(): Promise<OwnDatabase> {
  return isFile ? makeFile() : makeBeside();
}

async function makeFile(): Promise<OwnDatabase> {
  const directory = mkdtempSync(join(tmpdir(), "tests-"));
  const remove = async () => rmSync(directory, { recursive: true, force: true });
  return { url: fileUrl(directory), remove };
}

async function makeBeside(): Promise<OwnDatabase> {
  const url = new URL(given);
  url.pathname += `_test_${randomBytes(4).toString("hex")}`;
  const name = url.pathname.slice(1);
  const db = await new Db(readConfig({ DATABASE_URL: given.href })).connect();
  const isMade = await db.source.query(`CREATE DATABASE ${name}`).then(
    () => true,
    () => false,
  );
  if (!isMade) {
    await db.close();
    return useGiven();
  }
  const remove = async () => {
    await db.source.query(`DROP DATABASE ${name}`);
    await db.close();
  };
  return { url: url.href, remove };
}

/** The tests empty their database, so nobody may be in it. */
async function useGiven(): Promise<OwnDatabase> {
  const db = await openForMigrations(readConfig({ DATABASE_URL: given.href }));
  await migrate(db);
  const count = await db.run((manager) => manager.count(Users));
  if (count > 0) {
    await db.close();
    throw new Error(`The tests empty their database, and ${given.pathname} has users in it.`);
  }
  const remove = async () => {
    await removeUsers(db);
    await db.close();
  };
  return { url: given.href, remove };
}

/** Everything else belongs to a user, and goes along. */
export async function removeUsers(db: Db): Promise<void> {
  await db.run((manager) => manager.createQueryBuilder().delete().from(Users).execute());
}

/** Where no database answers: below a file, or behind a port that nobody listens on. */
export function nowhere(): string {
  if (isFile) {
    return fileUrl(fileURLToPath(import.meta.url));
  }
  const url = new URL(given);
  url.port = "1";
  return url.href;
}

function fileUrl(directory: string): string {
  return `${given.protocol}///${directory}/test.db`;
}
