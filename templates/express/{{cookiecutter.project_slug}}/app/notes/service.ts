/** The rules about notes. */
import type { EntityManager } from "typeorm";
import { shown } from "../columns.ts";
import { insert } from "../db.ts";
import { containing } from "../cursors.ts";
import { Problem } from "../errors.ts";
import { newId, timestamp } from "../ids.ts";
import type { App } from "../index.ts";
import { invalid } from "../validation.ts";
import { type Note, Notes, NoteTags } from "./model.ts";

export type TaggedNote = Omit<Note, "user_id"> & { tags: string[] };

interface NewNote {
  title: string;
  body: string;
  tags: string[];
}

interface NoteChange {
  title?: string | undefined;
  body?: string | null | undefined;
  tags?: string[] | null | undefined;
}

export async function createNote(app: App, userId: string, fields: NewNote): Promise<TaggedNote> {
  const time = timestamp();
  const { tags, ...rest } = fields;
  const note = { id: newId(), user_id: userId, ...rest, version: 1 };
  const row = { ...note, created_at: time, updated_at: time };
  await write(app, async (manager) => {
    await insert(manager, Notes, row);
    await insertTags(manager, row.id, tags);
  });
  return { ...row, tags };
}

interface Filter {
  after: string | null;
  q: string | undefined;
  tag: string | undefined;
  limit: number;
}

/** Newest first; one row more than asked tells whether there is a next page. */
export function listNotes(app: App, userId: string, filter: Filter): Promise<TaggedNote[]> {
  const conditions = ["n.user_id = ?"];
  const values: unknown[] = [userId];
  const only = (condition: string, value: string) => {
    conditions.push(condition);
    values.push(value);
  };
  if (filter.after !== null) {
    only("n.id < ?", filter.after);
  }
  if (filter.q !== undefined) {
    only("LOWER(n.title) LIKE LOWER(?) ESCAPE '!'", containing(filter.q));
  }
  if (filter.tag !== undefined) {
    only("n.id IN (SELECT note_id FROM note_tags WHERE tag = ?)", filter.tag);
  }
  const rest = `${conditions.join(" AND ")} ORDER BY n.id DESC LIMIT ?`;
  return select(app, rest, [...values, filter.limit + 1]);
}

/** Not through the ORM: for a list its statements and entities cost more than the database. */
async function select(app: App, rest: string, values: unknown[]): Promise<TaggedNote[]> {
  const tags = app.db.database.jsonArray("tag", "FROM note_tags WHERE note_id = n.id", "position");
  const rows = await app.db.read(
    `SELECT n.id, n.title, n.body, n.version, n.created_at, n.updated_at, ${tags} AS tags
FROM notes n WHERE ${rest}`,
    values,
  );
  return (rows as (Omit<TaggedNote, "tags"> & { tags: string })[]).map((row) => ({
    ...row,
    tags: JSON.parse(row.tags),
    created_at: shown(row.created_at),
    updated_at: shown(row.updated_at),
  }));
}

/** Another person's note is not there at all. */
export async function readNote(app: App, userId: string, id: string): Promise<TaggedNote> {
  const [note] = await select(app, "n.id = ? AND n.user_id = ?", [id, userId]);
  if (!note) {
    throw new Problem("not-found");
  }
  return note;
}

/** Of several edits of one version, one wins. */
export async function updateNote(
  app: App,
  note: TaggedNote,
  change: NoteChange,
): Promise<TaggedNote> {
  const { title = note.title, body = note.body, tags = note.tags } = change;
  const fields = { title, body: body ?? "", version: note.version + 1, updated_at: timestamp() };
  await write(app, async (manager) => {
    const { id, version } = note;
    const result = await manager.update(Notes, { id, version }, fields);
    if (!result.affected) {
      throw new Problem("precondition-failed");
    }
    if (change.tags !== undefined) {
      await manager.delete(NoteTags, { note_id: id });
      await insertTags(manager, id, tags ?? []);
    }
  });
  return { ...note, ...fields, tags: tags ?? [] };
}

/** `version` is null when the client does not mind which. */
export async function deleteNote(app: App, id: string, version: number | null): Promise<void> {
  const which = version === null ? { id } : { id, version };
  const result = await app.db.run((manager) => manager.delete(Notes, which));
  if (!result.affected) {
    throw new Problem(version === null ? "not-found" : "precondition-failed");
  }
}

async function write(app: App, work: (manager: EntityManager) => Promise<void>): Promise<void> {
  try {
    await app.db.transaction(work);
  } catch (error) {
    // Some databases take two tags for one that differ in trailing spaces only.
    if (app.db.isUniqueViolation(error)) {
      throw invalid([{ pointer: "#/tags", detail: "must not repeat" }]);
    }
    throw error;
  }
}

async function insertTags(manager: EntityManager, noteId: string, tags: string[]): Promise<void> {
  if (tags.length > 0) {
    const rows = tags.map((tag, position) => ({ note_id: noteId, position, tag }));
    await insert(manager, NoteTags, rows);
  }
}
