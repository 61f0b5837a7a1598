/** The shapes of note requests and answers. */
import { z } from "zod";
import { pageQuery } from "../cursors.ts";
import { answer, dateTime, request, text, uniqueList, uuid } from "../validation.ts";

const title = () => text({ min: 1, max: 200 });
const body = () => text({ max: 10_000 });
const tags = () => uniqueList(text({ min: 1, max: 50 }), 10);

export const Note = answer("Note", {
  id: uuid(),
  title: title(),
  body: body(),
  tags: tags(),
  created_at: dateTime(),
  updated_at: dateTime(),
});

export const NoteList = answer("NoteList", {
  items: z.array(Note),
  next: z.string().nullable(),
});

export const NoteCreate = request("NoteCreate", {
  title: title(),
  body: body().default(""),
  tags: tags().default([]),
});

/** A merge patch (RFC 7396): null puts back what a new note would have. */
export const NoteUpdate = request("NoteUpdate", {
  title: title().optional(),
  body: body().nullable().optional(),
  tags: tags().nullable().optional(),
});

export const NoteQuery = z.strictObject({
  ...pageQuery,
  tag: text({ min: 1, max: 50 }).optional(),
});
