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

function withTags(notes, labels) {
  const found = Map.groupBy(labels, (label) => label.note_id);
  return notes.map((note) => show(note, (found.get(note.id) ?? []).map((label) => label.tag)));
}

/** The app's statements through its data source and its models. */
async function orm() {
  const { Db } = await import("./app/db.ts");
  const { Sessions } = await import("./app/auth/model.ts");
  const { Notes, NoteTags } = await import("./app/notes/model.ts");
  const { newId, timestamp } = await import("./app/ids.ts");
  const { In } = await import("typeorm");
  const db = await new Db({ databaseUrl: DATABASE_URL, databasePoolSize: 10 }).connect();
  const { manager } = db.source;
  return handlers({
    async user(hash) {
      const session = await manager
        .createQueryBuilder(Sessions, "session")
        .innerJoinAndSelect("session.user", "account")
        .where("session.token_hash = :hash", { hash })
        .getOne();
      return session.user.id;
    },
    async listed(userId) {
      const notes = await manager
        .createQueryBuilder(Notes, "note")
        .where("note.user_id = :userId", { userId })
        .orderBy("note.id", "DESC")
        .limit(21)
        .getMany();
      const where = { note_id: In(notes.map((note) => note.id)) };
      return withTags(notes, await manager.find(NoteTags, { where, order: { position: "ASC" } }));
    },
    async create(userId, { title, body, tags }) {
      const time = timestamp();
      const times = { created_at: time, updated_at: time };
      const row = { id: newId(), user_id: userId, title, body, version: 1, ...times };
      await db.transaction(async (work) => {
        await work.insert(Notes, row);
        const rows = tags.map((tag, position) => ({ note_id: row.id, position, tag }));
        await work.insert(NoteTags, rows);
      });
      return show(row, tags);
    },
  });
}

const LOOKUP = `SELECT s.*, u.email, u.email_normalized, u.name, u.password_hash, u.role, u.disabled,
u.email_verified_at, u.totp_secret, u.totp_confirmed_at, u.totp_last_step,
u.created_at AS user_created_at, u.updated_at AS user_updated_at
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ?`;
const LISTING = `SELECT id, user_id, title, body, version, created_at, updated_at
FROM notes WHERE user_id = ? ORDER BY id DESC LIMIT 21`;
const TAGS = "SELECT note_id, position, tag FROM note_tags WHERE note_id IN (?) ORDER BY position";
const NOTE = `INSERT INTO notes (id, user_id, title, body, version, created_at, updated_at)
VALUES (?, ?, ?, ?, 1, ?, ?)`;
const TAG = "INSERT INTO note_tags (note_id, position, tag) VALUES (?, ?, ?)";

/** The same statements through the driver alone. */
async function driver() {
  const { newId, timestamp } = await import("./app/ids.ts");
  const { all, write } = await (DATABASE_URL.startsWith("sqlite") ? sqlite() : postgresql());
  return handlers({
    async user(hash) {
      const [session] = await all(LOOKUP, [hash]);
      return session.user_id;
    },
    async listed(userId) {
      const notes = await all(LISTING, [userId]);
      const marks = notes.map(() => "?").join(", ");
      const ids = notes.map((note) => note.id);
      return withTags(notes, await all(TAGS.replace("?", marks), ids));
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
  const numbered = (text) => {
    let number = 0;
    return text.replaceAll("?", () => `$${++number}`);
  };
  const write = async (steps) => {
    const client = await pool.connect();
    await client.query("BEGIN");
    for (const [text, values] of steps) {
      await client.query(numbered(text), values);
    }
    await client.query("COMMIT");
    client.release();
  };
  return { all: async (text, values) => (await pool.query(numbered(text), values)).rows, write };
}

const KINDS = { raw, bare, orm, driver };

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
