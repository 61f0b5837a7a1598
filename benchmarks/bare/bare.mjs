/** What the Express app is compared with: runs inside a rendered project, on its libraries alone. */
import cluster from "node:cluster";
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const { DATABASE_URL, PORT, WEB_CONCURRENCY } = process.env;
const NOTES = "/api/v1/notes";

function raw() {
  return (_, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end('{"status":"ok"}');
  };
}

/** Express as the app sets it up: without ETag and X-Powered-By. */
async function framework() {
  const { default: express } = await import("express");
  return express().disable("x-powered-by").disable("etag");
}

async function bare() {
  const app = await framework();
  app.get("/healthz", (_, response) => {
    response.json({ status: "ok" });
  });
  return app;
}

/** Ask, serialise, answer; nothing is checked and nothing is added. */
async function handlers(queries) {
  const app = await framework();
  const user = (request) => {
    const token = request.headers.authorization.slice(7);
    return queries.user(createHash("sha256").update(token).digest("hex"));
  };
  const answer = (response, status, body) => {
    const text = JSON.stringify(body);
    response.statusCode = status;
    response.setHeader("Content-Type", "application/json");
    response.setHeader("Content-Length", Buffer.byteLength(text));
    response.end(text);
  };
  app.get(NOTES, async (request, response) => {
    const items = await queries.listed(await user(request));
    answer(response, 200, { items, next: null });
  });
  app.post(NOTES, async (request, response) => {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const wanted = JSON.parse(Buffer.concat(chunks));
    answer(response, 201, await queries.create(await user(request), wanted));
  });
  return app;
}

function show(note, tags) {
  const { id, title, body, created_at, updated_at } = note;
  return { id, title, body, tags, created_at: moment(created_at), updated_at: moment(updated_at) };
}

function moment(text) {
  return `${text.slice(0, 10)}T${text.slice(11, 26)}Z`;
}

const LOOKUP = `SELECT s.id AS session_id, s.last_seen_at, s.expires_at,
u.id, u.email, u.email_normalized, u.name, u.password_hash, u.role,
u.disabled, u.email_verified_at, u.totp_secret, u.totp_confirmed_at,
u.totp_last_step, u.created_at, u.updated_at
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ?`;
const listing = (tags) => `SELECT n.id, n.title, n.body, n.version,
n.created_at, n.updated_at, ${tags} AS tags
FROM notes n WHERE n.user_id = ? ORDER BY n.id DESC LIMIT ?`;
const TAGS_SQLITE = `(SELECT json_group_array(t.tag)
FROM (SELECT tag FROM note_tags WHERE note_id = n.id ORDER BY position) t)`;
const TAGS_POSTGRESQL = `array_to_json(ARRAY(
SELECT t.tag FROM note_tags t WHERE t.note_id = n.id ORDER BY t.position))::text`;
const NOTE = `INSERT INTO notes (id, user_id, title, body, version, created_at, updated_at)
VALUES (?, ?, ?, ?, 1, ?, ?)`;
const TAG = "INSERT INTO note_tags (note_id, position, tag) VALUES (?, ?, ?)";

/** The app's statements through its driver alone. */
async function driver() {
  const { newId, timestamp } = await import("./app/ids.ts");
  const isSqlite = DATABASE_URL.startsWith("sqlite");
  const { all, write } = await (isSqlite ? sqlite() : postgresql());
  const listed = listing(isSqlite ? TAGS_SQLITE : TAGS_POSTGRESQL);
  return handlers({
    async user(hash) {
      const [session] = await all(LOOKUP, [hash]);
      return session.id;
    },
    async listed(userId) {
      const rows = await all(listed, [userId, 21]);
      return rows.map((row) => show(row, JSON.parse(row.tags)));
    },
    async create(userId, { title, body, tags }) {
      const id = newId();
      const time = timestamp().replace("T", " ").slice(0, 26);
      const rows = tags.map((tag, position) => [TAG, [id, position, tag]]);
      await write([[NOTE, [id, userId, title, body, time, time]], ...rows]);
      return show({ id, title, body, created_at: time, updated_at: time }, tags);
    },
  });
}

async function sqlite() {
  const { default: Database } = await import("better-sqlite3");
  const database = new Database(DATABASE_URL.replace("sqlite:///", ""), { timeout: 5000 });
  database.pragma("synchronous = NORMAL");
  database.pragma("foreign_keys = ON");
  const known = new Map();
  const prepared = (text) => {
    const found = known.get(text) ?? database.prepare(text);
    known.set(text, found);
    return found;
  };
  const write = database.transaction((steps) => {
    for (const [text, values] of steps) {
      prepared(text).run(values);
    }
  });
  return { all: (text, values) => prepared(text).all(values), write: write.immediate };
}

async function postgresql() {
  const { default: pg } = await import("pg");
  pg.types.setTypeParser(1184, (value) => value);
  const pool = new pg.Pool({
    connectionString: DATABASE_URL,
    max: 10,
    options: "-c timezone=UTC",
  });
  // With a name the server parses and plans a statement once a connection.
  const known = new Map();
  const query = (on, text, values) => {
    let number = 0;
    const made = known.get(text) ?? {
      name: `s${known.size}`,
      text: text.replaceAll("?", () => `$${++number}`),
    };
    known.set(text, made);
    return on.query({ ...made, values });
  };
  const write = async (steps) => {
    const client = await pool.connect();
    await client.query("BEGIN");
    for (const [text, values] of steps) {
      await query(client, text, values);
    }
    await client.query("COMMIT");
    client.release();
  };
  return { all: async (text, values) => (await query(pool, text, values)).rows, write };
}

const KINDS = { raw, bare, driver };

if (cluster.isPrimary) {
  for (let count = 0; count < Number(WEB_CONCURRENCY); count += 1) {
    cluster.fork();
  }
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) {
      worker.process.kill("SIGKILL");
    }
    process.exit(0);
  });
} else {
  const app = await KINDS[process.argv[2]]();
  // The settings of the app's worker.
  const limits = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 15_000 };
  createServer({ ...limits, connectionsCheckingInterval: 1000 }, app).listen(PORT, "127.0.0.1");
}
