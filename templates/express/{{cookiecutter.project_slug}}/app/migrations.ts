/** Migrations: which there are, and how they are run one at a time. */
import { readdirSync } from "node:fs";
import type { MigrationInterface } from "typeorm";
import type { Config } from "./config.ts";
import { Db } from "./db.ts";

const FOLDER = new URL("../migrations/", import.meta.url);
const UNFINISHED = "unfinished_migration";

type MigrationClass = new () => MigrationInterface;

/** Says which migration failed and what to do now. */
export class MigrationFailed extends Error {}

/** The file each migration stands in, without its ending. */
const files = new Map<string, string>();

async function load(): Promise<MigrationClass[]> {
  const names = readdirSync(FOLDER).filter((name) => /^\d{4}_\w+\.ts$/.test(name));
  const all: MigrationClass[] = [];
  for (const name of names.sort()) {
    const module: Record<string, MigrationClass> = await import(new URL(name, FOLDER).href);
    for (const migration of Object.values(module)) {
      files.set(migration.name, name.replace(".ts", ""));
      all.push(migration);
    }
  }
  return all;
}

/** A connected database that knows its migrations; the caller closes it. */
export async function openForMigrations(config: Config): Promise<Db> {
  // One connection holds the lock while another does the work, for as long as it takes.
  const size = Math.max(2, config.databasePoolSize);
  const db = new Db({ ...config, databasePoolSize: size }, null);
  db.source.setOptions({ migrations: await load() });
  return db.connect();
}

/** The names of the migrations that were run. */
export function migrate(db: Db): Promise<string[]> {
  return run(db, (transaction) => db.source.runMigrations({ transaction }));
}

/** Undoes the newest migration and tells its name; null when there is none. */
export async function undo(db: Db): Promise<string | null> {
  const names = await run(db, (transaction) => db.source.undoLastMigration({ transaction }));
  return names[0] ?? null;
}

type Steps = (transaction: "all" | "none") => Promise<unknown>;

async function run(db: Db, steps: Steps): Promise<string[]> {
  const { alone, migrationTransaction, undoesSchema } = db.database;
  const log = new Progress(db, undoesSchema);
  try {
    await alone(db.source, async () => {
      await log.checkUnfinished();
      log.watch();
      await steps(migrationTransaction);
      await log.end();
    });
  } catch (error) {
    throw log.explain(error);
  }
  return log.names;
}

/** Names the migration that is at work, to people and to the next run. */
class Progress {
  readonly #db: Db;
  readonly #undoesSchema: boolean;
  readonly names: string[] = [];
  #startedAt = "";

  constructor(db: Db, undoesSchema: boolean) {
    this.#db = db;
    this.#undoesSchema = undoesSchema;
  }

  /** Stops when a run before this one got stuck in the middle of a migration. */
  async checkUnfinished(): Promise<void> {
    if (this.#undoesSchema || !(await this.#isTableThere())) {
      return;
    }
    const [row] = await this.#db.source.query(`SELECT name, started_at FROM ${UNFINISHED}`);
    if (row) {
      throw new MigrationFailed(unfinished(row.name, row.started_at));
    }
  }

  /** Has each migration say when it begins. */
  watch(): void {
    for (const migration of this.#db.source.migrations) {
      const { up, down } = migration;
      const { name: kind } = migration.constructor;
      const name = files.get(kind) ?? kind;
      migration.up = async (runner) => {
        await this.#begin(name);
        await up.call(migration, runner);
      };
      migration.down = async (runner) => {
        await this.#begin(name);
        await down.call(migration, runner);
      };
    }
  }

  async #begin(name: string): Promise<void> {
    this.names.push(name);
    this.#startedAt = `${new Date().toISOString().slice(0, 19)}Z`;
    if (!this.#undoesSchema) {
      const { source } = this.#db;
      await source.query(
        `CREATE TABLE IF NOT EXISTS ${UNFINISHED} (name VARCHAR(255) PRIMARY KEY, started_at VARCHAR(30) NOT NULL)`,
      );
      await source.query(`DELETE FROM ${UNFINISHED}`);
      await source.query(`INSERT INTO ${UNFINISHED} VALUES (?, ?)`, [name, this.#startedAt]);
    }
  }

  async end(): Promise<void> {
    if (!this.#undoesSchema) {
      await this.#db.source.query(`DROP TABLE IF EXISTS ${UNFINISHED}`);
    }
  }

  explain(error: unknown): unknown {
    const name = this.names.at(-1);
    if (name === undefined || !(error instanceof Error)) {
      return error;
    }
    const [reason = ""] = error.message.split("\n");
    const first = `Migration ${name} failed: ${reason.replace(/\.$/, "")}.`;
    return new MigrationFailed(
      this.#undoesSchema
        ? `${first} Nothing of it was kept: mend the file and run make migrate again.`
        : `${first}\n${unfinished(name, this.#startedAt)}`,
    );
  }

  async #isTableThere(): Promise<boolean> {
    const runner = this.#db.source.createQueryRunner();
    try {
      return await runner.hasTable(UNFINISHED);
    } finally {
      await runner.release();
    }
  }
}

function unfinished(name: string, startedAt: string): string {
  return (
    `Migration ${name}, begun at ${startedAt}, did not finish: some of its statements may be there. ` +
    "Put the schema back as it was before that migration or restore the backup, " +
    `then DROP TABLE ${UNFINISHED}, then run make migrate.`
  );
}
