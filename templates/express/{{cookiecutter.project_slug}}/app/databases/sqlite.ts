/** What is particular to SQLite. */
import type { DataSource } from "typeorm";
import type { Database, Work } from "./index.ts";

// A process has one connection, and a transaction spans several turns of the event loop:
// what is asked meanwhile waits, or it would join the transaction.
let queue: Promise<unknown> = Promise.resolve();
let waiting = 0;

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  waiting += 1;
  const turn = queue.then(work).finally(() => {
    waiting -= 1;
  });
  queue = turn.catch(() => undefined);
  return turn;
}

async function immediately<T>(source: DataSource, work: Work<T>): Promise<T> {
  // Taken at once: a transaction that begins by reading could not wait for another writer.
  await source.query("BEGIN IMMEDIATE");
  try {
    const result = await work(source.manager);
    await source.query("COMMIT");
    return result;
  } catch (error) {
    await source.query("ROLLBACK");
    throw error;
  }
}

export const sqlite: Database = {
  type: "better-sqlite3",
  form: "sqlite:///PATH",
  defaultUrl: "sqlite:///data/app.db",
  accepts: (url) => url.host === "" && url.pathname.length > 1,
  place: (url) => pathOf(url),
  options: (url) => ({
    type: "better-sqlite3",
    database: pathOf(url),
    enableWAL: true,
    timeout: 5000,
    prepareDatabase: (connection: { pragma(text: string): unknown }) => {
      connection.pragma("synchronous = NORMAL");
    },
  }),
  types: {
    id: "CHAR(36)",
    timestamp: "TEXT",
    table: "",
    indexesInside: false,
  },
  migrationTransaction: "none",
  locksRows: false,
  isUniqueViolation: ({ code }) =>
    code === "SQLITE_CONSTRAINT_UNIQUE" || code === "SQLITE_CONSTRAINT_PRIMARYKEY",
  isUnavailable: ({ code, message }) =>
    /^SQLITE_(?:BUSY|CANTOPEN|CORRUPT|FULL|IOERR|LOCKED|NOTADB|READONLY)/.test(code ?? "") ||
    message === "The database connection is not open",
  pool: () => ({ used: waiting > 0 ? 1 : 0, idle: waiting > 0 ? 0 : 1 }),
  run: (source, work) => inTurn(() => work(source.manager)),
  transaction: (source, work) => inTurn(() => immediately(source, work)),
  alone: (source, work) => inTurn(() => immediately(source, work)),
};

/** `sqlite:///data/app.db` is below the working directory, `sqlite:////srv/app.db` is not. */
function pathOf(url: URL): string {
  return decodeURIComponent(url.pathname.slice(1));
}
