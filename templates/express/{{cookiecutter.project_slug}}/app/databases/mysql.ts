/** What is particular to MySQL and MariaDB. */
import { connect, isIP, type Socket } from "node:net";
import type { Pool, PoolConnection } from "mysql2";
import type { DataSource } from "typeorm";
import { bare, CONNECT_SECONDS, checkParameters, POOL_SECONDS, tlsOf } from "./address.ts";
import type { Database } from "./index.ts";

const MIGRATION_LOCK = "app.migrations";

interface Connections {
  _allConnections: { length: number; toArray(): PoolConnection[] };
  _freeConnections: { length: number };
}

interface Internals {
  stream: Socket;
  /** The statement that waits for its answer. */
  _command: unknown;
}

const UNAVAILABLE = new Set([
  1021, // disk full
  1114, // table full
  1040, // too many connections
  1044, // no right to the database
  1045, // wrong user or password
  1049, // no such database
  1053, // server shutdown
  1205, // lock wait timeout
  1213, // deadlock
  1290, // read-only server
  1927, // connection was killed
  1969, // statement took too long, in MariaDB
  3024, // and in MySQL
]);

function poolOf(source: DataSource): Pool & Connections {
  return (source.driver as unknown as { pool: Pool & Connections }).pool;
}

function encrypted(url: URL): { ssl: MysqlTls } | undefined {
  const tls = tlsOf(url);
  if (!tls) {
    return undefined;
  }
  const { rejectUnauthorized, ca } = tls;
  return { ssl: { rejectUnauthorized, verifyIdentity: rejectUnauthorized, ...(ca ? { ca } : {}) } };
}

interface MysqlTls {
  rejectUnauthorized: boolean;
  verifyIdentity: boolean;
  ca?: string | string[];
}

/** A socket that knows the number it goes to: else the certificate would be held against another. */
function socketTo(url: URL): () => Socket {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return () => {
    const socket = connect(Number(url.port || 3306), host)
      .setNoDelay()
      .setKeepAlive(true);
    return isIP(host) ? Object.assign(socket, { _host: host }) : socket;
  };
}

/** Limits of the session; the comments are for MariaDB alone, and for MySQL alone. */
function prepare(connection: PoolConnection, seconds: number | null): void {
  connection.query("SET SESSION group_concat_max_len = 65536");
  if (seconds === null) {
    return;
  }
  connection.query(
    `SET SESSION lock_wait_timeout = ${seconds}, innodb_lock_wait_timeout = ${seconds}
    /*M!100101 , max_statement_time = ${seconds} */ /*!50708 , max_execution_time = ${seconds * 1000} */`,
  );
  const internals = connection as unknown as Internals;
  // The server ends a statement by itself; a second later it must be the server that is away.
  internals.stream.setTimeout((seconds + 1) * 1000, () => {
    if (internals._command) {
      const error = Object.assign(new Error("the server does not answer"), { code: "ETIMEDOUT" });
      internals.stream.destroy(error);
    }
  });
}

/** The pool itself lets people wait for ever. */
function boundWaiting(pool: Pool): void {
  const take = pool.getConnection.bind(pool);
  pool.getConnection = (done) => {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      const error = new Error(`no connection was free for ${POOL_SECONDS} seconds`);
      done(error as NodeJS.ErrnoException, undefined as unknown as PoolConnection);
    }, POOL_SECONDS * 1000);
    take((error, connection) => {
      clearTimeout(timer);
      if (!isOver) {
        done(error, connection);
      } else if (!error) {
        connection.release();
      }
    });
  };
}

export const mysql: Database = {
  type: "mysql",
  form: "mysql://USER:PASSWORD@HOST:PORT/NAME",
  defaultUrl: "mysql://app:app@127.0.0.1:3306/app",
  accepts: (url) => {
    checkParameters(url);
    return url.hostname !== "" && url.pathname.length > 1;
  },
  place: (url) => url.host,
  options: (url, poolSize) => ({
    type: "mysql",
    url: bare(url),
    ...encrypted(url),
    poolSize,
    charset: "utf8mb4",
    timezone: "Z",
    connectTimeout: CONNECT_SECONDS * 1000,
    // As text: a Date would lose the microseconds.
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: false,
    extra: { enableKeepAlive: true, ...(encrypted(url) ? { stream: socketTo(url) } : {}) },
  }),
  prepare: async (source, statementSeconds) => {
    const pool = poolOf(source);
    pool.on("connection", (connection) => prepare(connection, statementSeconds));
    for (const connection of pool._allConnections.toArray()) {
      prepare(connection, statementSeconds);
    }
    boundWaiting(pool);
  },
  types: {
    id: "CHAR(36)",
    timestamp: "DATETIME(6)",
    table: " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    indexesInside: true,
  },
  migrationTransaction: "none",
  undoesSchema: false,
  locksRows: true,
  isUniqueViolation: ({ errno }) => errno === 1062,
  isUnavailable: ({ code, errno, message }) =>
    UNAVAILABLE.has(errno ?? 0) ||
    /^E[A-Z]{4,}$|^PROTOCOL_|^ERR_TLS|CERT|^UNABLE_TO_|HANDSHAKE/.test(code ?? "") ||
    /closed state|Pool is closed|^no connection was free/.test(message ?? ""),
  pool: (source) => {
    const pool = poolOf(source);
    const idle = pool._freeConnections.length;
    return { used: pool._allConnections.length - idle, idle };
  },
  jsonArray: (column, rows, order) =>
    `(SELECT COALESCE(CONCAT('[', GROUP_CONCAT(JSON_QUOTE(${column}) ORDER BY ${order}), ']'), '[]') ${rows})`,
  read: async (source, text, values) => {
    // Prepared on the server it would cost a third more.
    const [rows] = await poolOf(source).promise().query(text, values);
    return rows as unknown[];
  },
  run: (source, work) => work(source.manager),
  transaction: (source, work) => source.transaction(work),
  alone: async (source, work) => {
    const holder = source.createQueryRunner();
    try {
      const [row] = await holder.query("SELECT GET_LOCK(?, 600) AS held", [MIGRATION_LOCK]);
      if (Number(row.held) !== 1) {
        throw new Error("another run of migrations goes on for longer than ten minutes");
      }
      await work();
    } finally {
      await holder.query("SELECT RELEASE_LOCK(?)", [MIGRATION_LOCK]);
      await holder.release();
    }
  },
};
