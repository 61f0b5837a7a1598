/** What is particular to PostgreSQL. */
import pg from "pg";
import type { Pool } from "pg";
import type { DataSource } from "typeorm";
import { bare, CONNECT_SECONDS, checkParameters, POOL_SECONDS, tlsOf } from "./address.ts";
import type { Database } from "./index.ts";

// Any number will do, as long as nobody else takes the same one.
const MIGRATION_LOCK = 7_310_582_461;
const TIMESTAMPTZ = 1184;

// As text: a Date would lose the microseconds.
pg.types.setTypeParser(TIMESTAMPTZ, (value) => value);

/** The pool's time limit is for those who wait for a connection; this one for making it. */
class Client extends pg.Client {
  constructor(options: pg.ClientConfig) {
    super({ ...options, connectionTimeoutMillis: CONNECT_SECONDS * 1000 });
    const ask = this.query.bind(this) as (...about: unknown[]) => unknown;
    const watched = (...about: unknown[]) => {
      const result = ask(...about);
      if (result instanceof Promise) {
        result.catch((error: Error) => this.#giveUp(error));
      }
      return result;
    };
    this.query = watched as typeof this.query;
  }

  /** Nothing must wait behind a statement that is not answered. */
  #giveUp(error: Error): void {
    if (error.message === "Query read timeout") {
      this.end().catch(() => undefined);
    }
  }
}

const prepared = new Map<string, { name: string; text: string }>();

/** A name makes the driver prepare it: a list of notes takes half the time. */
function named(text: string): { name: string; text: string } {
  let count = 0;
  const numbered = () => `$${++count}`;
  const known = prepared.get(text) ?? {
    name: `read_${prepared.size}`,
    text: text.replaceAll("?", numbered),
  };
  prepared.set(text, known);
  return known;
}

function poolOf(source: DataSource): Pool {
  return (source.driver as unknown as { master: Pool }).master;
}

export const postgresql: Database = {
  type: "postgres",
  form: "postgresql://USER:PASSWORD@HOST:PORT/NAME",
  defaultUrl: "postgresql://app:app@127.0.0.1:5432/app",
  accepts: (url) => {
    checkParameters(url);
    return url.hostname !== "" && url.pathname.length > 1;
  },
  place: (url) => url.host,
  options: (url, poolSize, statementSeconds) => ({
    type: "postgres",
    url: bare(url),
    ssl: tlsOf(url),
    poolSize,
    connectTimeoutMS: POOL_SECONDS * 1000,
    installExtensions: false,
    applicationName: "app",
    extra: {
      Client,
      options: `-c timezone=UTC -c statement_timeout=${(statementSeconds ?? 0) * 1000}`,
      // The server ends a statement by itself; a second later it must be the server that is away.
      ...(statementSeconds === null ? {} : { query_timeout: (statementSeconds + 1) * 1000 }),
      keepAlive: true,
    },
  }),
  prepare: async () => undefined,
  types: {
    id: "UUID",
    timestamp: "TIMESTAMP(6) WITH TIME ZONE",
    table: "",
    indexesInside: false,
  },
  migrationTransaction: "all",
  undoesSchema: true,
  locksRows: true,
  isUniqueViolation: ({ code }) => code === "23505",
  isUnavailable: ({ code, message }) =>
    /^(?:08|53|57P|57014|55P03|40001|40P01|3D000|28)/.test(code ?? "") ||
    /^E[A-Z]{4,}$|^ERR_TLS|CERT|^UNABLE_TO_/.test(code ?? "") ||
    /^Connection terminated|^timeout (?:exceeded|expired)|^Query read timeout|not queryable/.test(
      message ?? "",
    ),
  pool: (source) => {
    const { totalCount, idleCount } = poolOf(source);
    return { used: totalCount - idleCount, idle: idleCount };
  },
  jsonArray: (column, rows, order) =>
    `array_to_json(ARRAY(SELECT ${column} ${rows} ORDER BY ${order}))::text`,
  read: async (source, text, values) => {
    const { rows } = await poolOf(source).query({ ...named(text), values });
    return rows;
  },
  run: (source, work) => work(source.manager),
  transaction: (source, work) => source.transaction(work),
  alone: async (source, work) => {
    const holder = source.createQueryRunner();
    try {
      await holder.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
      await work();
    } finally {
      await holder.query("SELECT pg_advisory_unlock($1)", [MIGRATION_LOCK]);
      await holder.release();
    }
  },
};
