/** Migrations: which there are, and how they are run one at a time. */
import { readdirSync } from "node:fs";
import type { MigrationInterface } from "typeorm";
import type { Config } from "./config.ts";
import { Db } from "./db.ts";

const FOLDER = new URL("../migrations/", import.meta.url);

type MigrationClass = new () => MigrationInterface;

async function load(): Promise<MigrationClass[]> {
  const names = readdirSync(FOLDER).filter((name) => /^\d{4}_\w+\.ts$/.test(name));
  const modules = await Promise.all(names.sort().map((name) => import(new URL(name, FOLDER).href)));
  return modules.flatMap((module) => Object.values(module) as MigrationClass[]);
}

/** A connected database that knows its migrations; the caller closes it. */
export async function openForMigrations(config: Config): Promise<Db> {
  // One connection holds the lock while another does the work.
  const db = new Db({ ...config, databasePoolSize: Math.max(2, config.databasePoolSize) });
  db.source.setOptions({ migrations: await load() });
  return db.connect();
}

/** The names of the migrations that were run. */
export async function migrate(db: Db): Promise<string[]> {
  const { alone, migrationTransaction } = db.database;
  const names: string[] = [];
  await alone(db.source, async () => {
    const done = await db.source.runMigrations({ transaction: migrationTransaction });
    names.push(...done.map(({ name }) => name));
  });
  return names;
}

/** Undoes the newest migration. */
export async function undo(db: Db): Promise<void> {
  const { alone, migrationTransaction } = db.database;
  await alone(db.source, () => db.source.undoLastMigration({ transaction: migrationTransaction }));
}
