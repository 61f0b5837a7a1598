/** HTTP for notes. */
import { paginate, readCursor } from "../cursors.ts";
import { checkMatch, etagOf, isUnchanged } from "../etags.ts";
import type { App } from "../index.ts";
import { Note, NoteCreate, NoteList, NoteQuery, NoteUpdate } from "./schema.ts";
import {
  createNote,
  deleteNote,
  listNotes,
  readNote,
  type TaggedNote,
  updateNote,
} from "./service.ts";

const PREFIX = "/api/v1/notes";
const mine = { tag: "notes", access: "user" } as const;
const one = { ...mine, path: `${PREFIX}/{id}` } as const;

export function initApp(app: App): void {
  initList(app);
  initReading(app);
  initWriting(app);
}

function initList(app: App): void {
  app.route(
    {
      ...mine,
      method: "get",
      path: PREFIX,
      id: "listNotes",
      summary: "List my notes",
      status: 200,
      query: NoteQuery,
      result: NoteList,
    },
    async ({ user, query }) => {
      const { q, tag, limit } = query;
      const after = readCursor(app, user.id, query.cursor);
      const rows = await listNotes(app, user.id, { after, q, tag, limit });
      return paginate(app, user.id, PREFIX, query, rows, showNote);
    },
  );
  app.route(
    {
      ...mine,
      method: "post",
      path: PREFIX,
      id: "createNote",
      summary: "Create a note",
      status: 201,
      body: NoteCreate,
      result: Note,
      hasLocation: true,
    },
    async ({ user, body }) => {
      const note = await createNote(app, user.id, body);
      const headers = { Location: `${PREFIX}/${note.id}`, ETag: etagOf(note.version) };
      return { body: showNote(note), headers };
    },
  );
}

function initReading(app: App): void {
  app.route(
    {
      ...one,
      method: "get",
      id: "readNote",
      summary: "Read a note",
      status: 200,
      result: Note,
      precondition: "none",
    },
    async ({ user, id, request }) => {
      const note = await readNote(app, user.id, id);
      const headers = { ETag: etagOf(note.version) };
      return isUnchanged(request, note.version)
        ? { status: 304, headers }
        : { body: showNote(note), headers };
    },
  );
}

function initWriting(app: App): void {
  app.route(
    {
      ...one,
      method: "patch",
      id: "updateNote",
      summary: "Change a note (RFC 7396)",
      status: 200,
      body: NoteUpdate,
      media: ["application/merge-patch+json", "application/json"],
      result: Note,
      precondition: "match",
      problems: [428],
    },
    async ({ user, id, body, request }) => {
      const note = await readNote(app, user.id, id);
      checkMatch(request, note.version, true);
      const changed = await updateNote(app, note, body);
      return { body: showNote(changed), headers: { ETag: etagOf(changed.version) } };
    },
  );
  app.route(
    {
      ...one,
      method: "delete",
      id: "deleteNote",
      summary: "Delete a note",
      status: 204,
      precondition: "match",
    },
    async ({ user, id, request }) => {
      const note = await readNote(app, user.id, id);
      checkMatch(request, note.version, false);
      const isGuarded = request.headers["if-match"] !== undefined;
      await deleteNote(app, note.id, isGuarded ? note.version : null);
      return {};
    },
  );
}

function showNote(note: TaggedNote) {
  return {
    id: note.id,
    title: note.title,
    body: note.body,
    tags: note.tags,
    created_at: note.created_at,
    updated_at: note.updated_at,
  };
}
