/** The rules about notes. */
import { type EntityManager, In } from "typeorm";
import { containing } from "../cursors.ts";
import { Problem } from "../errors.ts";
import { newId, timestamp } from "../ids.ts";
import type { App } from "../index.ts";
import { invalid } from "../validation.ts";
import { type Note, Notes, type NoteTag, NoteTags } from "./model.ts";

export type TaggedNote = Note & { tags: string[] };

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
    await manager.insert(Notes, row);
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
  return app.db.run(async (manager) => {
    const query = manager
      .createQueryBuilder(Notes, "note")
      .where("note.user_id = :userId", { userId })
      .orderBy("note.id", "DESC");
    if (filter.after !== null) {
      query.andWhere("note.id < :after", { after: filter.after });
    }
    if (filter.q !== undefined) {
      query.andWhere("LOWER(note.title) LIKE LOWER(:q) ESCAPE '!'", { q: containing(filter.q) });
    }
    if (filter.tag !== undefined) {
      query
        .innerJoin(NoteTags.options.name, "label", "label.note_id = note.id")
        .andWhere("label.tag = :tag", { tag: filter.tag });
    }
    return withTags(manager, await query.limit(filter.limit + 1).getMany());
  });
}

/** Another person's note is not there at all. */
export function readNote(app: App, userId: string, id: string): Promise<TaggedNote> {
  return app.db.run(async (manager) => {
    const notes = await manager.findBy(Notes, { id, user_id: userId });
    const [note] = await withTags(manager, notes);
    if (!note) {
      throw new Problem("not-found");
    }
    return note;
  });
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
    await manager.insert(NoteTags, rows);
  }
}

async function withTags(manager: EntityManager, notes: Note[]): Promise<TaggedNote[]> {
  const labels: NoteTag[] =
    notes.length === 0
      ? []
      : await manager.find(NoteTags, {
          where: { note_id: In(notes.map((note) => note.id)) },
          order: { position: "ASC" },
        });
  const byNote = Map.groupBy(labels, (label) => label.note_id);
  return notes.map((note) => ({
    ...note,
    tags: (byNote.get(note.id) ?? []).map((label) => label.tag),
  }));
}
