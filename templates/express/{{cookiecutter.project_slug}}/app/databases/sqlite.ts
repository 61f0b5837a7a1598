/** What is particular to SQLite. */
import type { DataSource } from "typeorm";
import type { Database, Work } from "./index.ts";

interface Connection {
  prepare(text: string): Statement;
}

interface Statement {
  all(values: unknown[]): unknown[];
}

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

const prepared = new WeakMap<Connection, Map<string, Statement>>();

function read(source: DataSource, text: string, values: unknown[]): unknown[] {
  const { databaseConnection } = source.driver as unknown as { databaseConnection: Connection };
  const known = prepared.get(databaseConnection) ?? new Map<string, Statement>();
  prepared.set(databaseConnection, known);
  const statement = known.get(text) ?? databaseConnection.prepare(text);
  known.set(text, statement);
  return statement.all(values);
}

async function immediately<T>(source: DataSource, work: Work<T>): Promise<T> {
  // Taken at once: a transaction that begins by reading could not wait for another writer.
  await source.query("BEGIN IMMEDIATE");
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
  // Ordered before it is gathered: not every SQLite in use can do it in one.
  jsonArray: (column, rows, order) =>
    `(SELECT json_group_array(${column}) FROM (SELECT ${column} ${rows} ORDER BY ${order}))`,
  read: async (source, text, values) =>
    waiting === 0 ? read(source, text, values) : inTurn(async () => read(source, text, values)),
  run: (source, work) => inTurn(() => work(source.manager)),
  transaction: (source, work) => inTurn(() => immediately(source, work)),
  alone: (source, work) => inTurn(() => immediately(source, work)),
};

/** `sqlite:///data/app.db` is below the working directory, `sqlite:////srv/app.db` is not. */
function pathOf(url: URL): string {
  return decodeURIComponent(url.pathname.slice(1));
}
