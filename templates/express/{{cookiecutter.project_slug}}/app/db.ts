/** The database: connections, sessions and what its errors mean. */
import {
  DataSource,
  type EntityManager,
  type EntitySchema,
  type FindOptionsWhere,
  type Logger,
  type ObjectLiteral,
  type QueryDeepPartialEntity,
  QueryFailedError,
  TypeORMError,
} from "typeorm";
import { OneTimeTokens, RecoveryCodes, Sessions, Users } from "./auth/model.ts";
import type { Config } from "./config.ts";
import { STATEMENT_SECONDS } from "./databases/address.ts";
import { type Database, type DriverError, databases, type Work } from "./databases/index.ts";
import { Problem } from "./errors.ts";
import { Notes, NoteTags } from "./notes/model.ts";

const entities = [Users, Sessions, OneTimeTokens, RecoveryCodes, Notes, NoteTags];

/** The database did not answer when it was first asked. */
export class DatabaseAway extends Error {
  constructor(place: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    super(`The database does not answer at ${place}: ${reason}; check DATABASE_URL.`);
  }
}

const nothing = () => undefined;

/** What goes wrong is thrown, and said once by whoever catches it. */
const SILENT: Logger = {
  logQuery: nothing,
  logQueryError: nothing,
  logQuerySlow: nothing,
  logSchemaBuild: nothing,
  logMigration: nothing,
  log: nothing,
};

type Watcher = (text: string, milliseconds: number, isFine: boolean) => void;

export class Db {
  readonly database: Database;
  readonly source: DataSource;
  /** Its name in addresses, and in traces. */
  readonly name: string;
  readonly #place: string;
  #watcher: Watcher | undefined;
  readonly #statementSeconds: number | null;

  constructor(
    config: Pick<Config, "databaseUrl" | "databasePoolSize">,
    statementSeconds: number | null = STATEMENT_SECONDS,
  ) {
    const url = new URL(config.databaseUrl);
    this.name = url.protocol.slice(0, -1);
    const database = databases.get(this.name);
    if (!database) {
      throw new Error(`no database for ${url.protocol}`);
    }
    this.database = database;
    this.#place = database.place(url);
    this.#statementSeconds = statementSeconds;
    const options = database.options(url, config.databasePoolSize, statementSeconds);
    this.source = new DataSource({ ...options, entities, logging: false, logger: SILENT });
  }

  async connect(): Promise<this> {
    try {
      await this.source.initialize();
      await this.database.prepare(this.source, this.#statementSeconds);
      await this.source.query("SELECT 1");
    } catch (error) {
      // Its other errors are about our models.
      const isOurs = error instanceof TypeORMError && !(error instanceof QueryFailedError);
      throw isOurs ? error : new DatabaseAway(this.#place, error);
    }
    return this;
  }

  /** Rows as the driver has them: for what nearly every request reads. `?` stands for a value. */
  read(text: string, values: unknown[]): Promise<unknown[]> {
    const rows = this.database.read(this.source, text, values);
    return this.#guard(this.#watcher ? this.#timed(text, rows, this.#watcher) : rows);
  }

  /** Tells of each statement that has ended. */
  watch(watcher: Watcher): void {
    this.#watcher = watcher;
    this.source.subscribers.push({
      afterQuery: ({ query, executionTime, success }) =>
        watcher(query, executionTime ?? 0, success),
    });
  }

  async #timed<T>(text: string, rows: Promise<T>, watcher: Watcher): Promise<T> {
    const started = performance.now();
    let isFine = false;
    try {
      const result = await rows;
      isFine = true;
      return result;
    } finally {
      watcher(text, performance.now() - started, isFine);
    }
  }

  /** Statements that need no common fate. */
  run<T>(work: Work<T>): Promise<T> {
    return this.#guard(this.database.run(this.source, work));
  }

  /** Statements that happen all or not at all. */
  transaction<T>(work: Work<T>): Promise<T> {
    return this.#guard(this.database.transaction(this.source, work));
  }

  /** The row, which nobody else changes until this transaction ends. */
  lock<T extends ObjectLiteral>(
    manager: EntityManager,
    entity: EntitySchema<T>,
    where: FindOptionsWhere<T>,
  ): Promise<T | null> {
    const lock = { mode: "pessimistic_write" } as const;
    return manager.findOne(entity, { where, ...(this.database.locksRows ? { lock } : {}) });
  }

  async ping(): Promise<void> {
    await this.run((manager) => manager.query("SELECT 1"));
  }

  pool(): { used: number; idle: number } {
    return this.database.pool(this.source);
  }

  isUniqueViolation(error: unknown): boolean {
    return this.database.isUniqueViolation(driverError(error));
  }

  async close(): Promise<void> {
    if (this.source.isInitialized) {
      await this.source.destroy();
    }
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof Problem) && this.database.isUnavailable(driverError(error))) {
        throw new Problem("unavailable", { cause: error });
      }
      throw error;
    }
  }
}

/** Writes rows without reading back what the database made of them. */
export async function insert<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntitySchema<T>,
  rows: QueryDeepPartialEntity<T> | QueryDeepPartialEntity<T>[],
): Promise<void> {
  const query = manager.createQueryBuilder().insert().into(entity);
  await query.values(rows).updateEntity(false).execute();
}

function driverError(error: unknown): DriverError {
  const inner = error instanceof QueryFailedError ? error.driverError : error;
  // A refused connection to a name with several addresses is an AggregateError.
  const [first] = inner instanceof AggregateError ? inner.errors : [inner];
  return (first ?? {}) as DriverError;
}
