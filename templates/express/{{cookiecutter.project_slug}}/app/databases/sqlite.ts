/** What is particular to SQLite. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { DataSource } from "typeorm";
import { POOL_SECONDS, refuseParameters } from "./address.ts";
import type { Database, DriverError, Work } from "./index.ts";

interface Connection {
  prepare(text: string): Statement;
}

interface Statement {
  all(values: unknown[]): unknown[];
}

const BUSY_SECONDS = 5;
const MIGRATION_SECONDS = 600;

// A process has one connection, and a transaction spans several turns of the event loop:
// what is asked meanwhile waits, or it would join the transaction.
let queue: Promise<unknown> = Promise.resolve();
let waiting = 0;

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + POOL_SECONDS * 1000;
  waiting += 1;
  const begin = () => {
    if (performance.now() > deadline) {
      throw Object.assign(new Error("the database was busy for too long"), { code: "SQLITE_BUSY" });
    }
    return work();
  };
  const turn = queue.then(begin).finally(() => {
    waiting -= 1;
  });
  queue = turn.catch(() => undefined);
  return turn;
}

/** Waits for another process that writes, without holding up this one as the driver would. */
async function patiently<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const { code, driverError } = error as DriverError & { driverError?: DriverError };
      if ((driverError?.code ?? code) !== "SQLITE_BUSY" || performance.now() > deadline) {
        throw error;
      }
    }
    await sleep(randomInt(1, 20));
  }
}

const prepared = new WeakMap<Connection, Map<string, Statement>>();

function read(source: DataSource, text: string, values: unknown[]): unknown[] {
  const { databaseConnection } = source.driver as unknown as { databaseConnection: Connection };
  const known = prepared.get(databaseConnection) ?? new Map<string, Statement>();
  prepared.set(databaseConnection, known);
  const statement = known.get(text) ?? databaseConnection.prepare(text);
  known.set(text, statement);
  return statement.all(values);
}

async function immediately<T>(
  source: DataSource,
  work: Work<T>,
  seconds = BUSY_SECONDS,
): Promise<T> {
  // Taken at once: a transaction that begins by reading could not wait for another writer.
  await patiently(seconds, () => source.query("BEGIN IMMEDIATE"));
  try {
    const result = await work(source.manager);
    await source.query("COMMIT");
    return result;
  } catch (error) {
    // A full disk has undone it already.
    await source.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

export const sqlite: Database = {
  type: "better-sqlite3",
  form: "sqlite:///PATH",
  defaultUrl: "sqlite:///data/app.db",
  accepts: (url) => {
    refuseParameters(url);
    return url.host === "" && url.pathname.length > 1;
  },
  place: (url) => pathOf(url),
  options: (url) => ({
    type: "better-sqlite3",
    database: pathOf(url),
    timeout: 0,
    prepareDatabase: async (connection: { pragma(text: string): unknown }) => {
      // Of several that open a new file at once, each has to wait for the others.
      await patiently(BUSY_SECONDS, async () => connection.pragma("journal_mode = WAL"));
      connection.pragma("synchronous = NORMAL");
    },
  }),
  prepare: async () => undefined,
  types: {
    id: "CHAR(36)",
    timestamp: "TEXT",
    table: "",
    indexesInside: false,
  },
  migrationTransaction: "none",
  undoesSchema: true,
  locksRows: false,
  isUniqueViolation: ({ code }) =>
    code === "SQLITE_CONSTRAINT_UNIQUE" || code === "SQLITE_CONSTRAINT_PRIMARYKEY",
  isUnavailable: ({ code, message }) =>
    /^SQLITE_(?:BUSY|CANTOPEN|CORRUPT|FULL|IOERR|LOCKED|NOTADB|READONLY)/.test(code ?? "") ||
    message === "The database connection is not open",
  pool: () => ({ used: waiting > 0 ? 1 : 0, idle: waiting > 0 ? 0 : 1 }),
  // Ordered before it is gathered: not every SQLite in use can do it in one.
  jsonArray: (column, rows, order) =>
    `(SELECT json_group_array(${column}) FROM (SELECT ${column} ${rows} ORDER BY ${order}))`,
  read: async (source, text, values) =>
    waiting === 0 ? read(source, text, values) : inTurn(async () => read(source, text, values)),
  run: (source, work) => inTurn(() => patiently(BUSY_SECONDS, () => work(source.manager))),
  transaction: (source, work) => inTurn(() => immediately(source, work)),
  alone: (source, work) =>
    inTurn(async () => {
      // A table that is rebuilt is dropped first, and would take with it what refers to it.
      await source.query("PRAGMA foreign_keys = OFF");
      const checked = async () => {
        await work();
        const [lost] = await source.query("PRAGMA foreign_key_check");
        if (lost) {
          throw new Error(`rows of ${lost.table} refer to rows of ${lost.parent} that are gone`);
        }
      };
      await immediately(source, checked, MIGRATION_SECONDS);
      await source.query("PRAGMA foreign_keys = ON");
    }),
};

/** `sqlite:///data/app.db` is below the working directory, `sqlite:////srv/app.db` is not. */
function pathOf(url: URL): string {
  return decodeURIComponent(url.pathname.slice(1));
}
