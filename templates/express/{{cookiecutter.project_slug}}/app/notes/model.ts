/** What is stored about notes. */
import { EntitySchema } from "typeorm";
import type { User } from "../auth/model.ts";
import { id, short, time } from "../columns.ts";

export interface Note {
  id: string;
  user_id: string;
  title: string;
  body: string;
  version: number;
  created_at: string;
  updated_at: string;
  user?: User;
}

export interface NoteTag {
  note_id: string;
  position: number;
  tag: string;
  note?: Note;
}

export const Notes = new EntitySchema<Note>({
  name: "notes",
  tableName: "notes",
  columns: {
    id: { ...id(), primary: true },
    user_id: id(),
    title: short(200),
    body: { type: "text" },
    version: { type: Number, default: 1 },
    created_at: time(),
    updated_at: time(),
  },
  relations: {
    user: {
      type: "many-to-one",
      target: "users",
      onDelete: "CASCADE",
      nullable: false,
      joinColumn: { name: "user_id", foreignKeyConstraintName: "fk_notes_user_id" },
    },
  },
  indices: [{ name: "ix_notes_user_id_id", columns: ["user_id", "id"] }],
});

export const NoteTags = new EntitySchema<NoteTag>({
  name: "note_tags",
  tableName: "note_tags",
  columns: {
    note_id: { ...id(), primary: true },
    position: { type: Number, primary: true },
    tag: short(50),
  },
  relations: {
    note: {
      type: "many-to-one",
      target: "notes",
      onDelete: "CASCADE",
      nullable: false,
      joinColumn: { name: "note_id", foreignKeyConstraintName: "fk_note_tags_note_id" },
    },
  },
  uniques: [{ name: "uq_note_tags_note_id_tag", columns: ["note_id", "tag"] }],
  indices: [{ name: "ix_note_tags_tag", columns: ["tag", "note_id"] }],
});
