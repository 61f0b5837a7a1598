/** What is particular to PostgreSQL. */
import pg from "pg";
import type { Pool } from "pg";
import type { DataSource } from "typeorm";
import type { Database } from "./index.ts";

const MIGRATION_LOCK = 7_061_957;
const TIMESTAMPTZ = 1184;

// As text: a Date would lose the microseconds.
pg.types.setTypeParser(TIMESTAMPTZ, (value) => value);

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
  accepts: (url) =>
    (url.hostname !== "" || url.searchParams.has("host")) && url.pathname.length > 1,
  place: (url) => url.host || (url.searchParams.get("host") ?? ""),
  options: (url, poolSize) => ({
    type: "postgres",
    url: url.href,
    // TypeORM reads the URL without its parameters.
    ...(url.searchParams.has("host") ? { host: url.searchParams.get("host") ?? "" } : {}),
    poolSize,
    connectTimeoutMS: 5000,
    installExtensions: false,
    applicationName: "app",
    extra: { options: "-c timezone=UTC", query_timeout: 15_000, keepAlive: true },
  }),
  types: {
    id: "UUID",
    timestamp: "TIMESTAMP(6) WITH TIME ZONE",
    table: "",
    indexesInside: false,
  },
  migrationTransaction: "all",
  locksRows: true,
  isUniqueViolation: ({ code }) => code === "23505",
  isUnavailable: ({ code, message }) =>
    /^(?:08|53|57P|55P03|40001|40P01|3D000|28)/.test(code ?? "") ||
    /^E[A-Z]{4,}$/.test(code ?? "") ||
    /^Connection terminated|^timeout exceeded|^Query read timeout|not queryable/.test(
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
