/** Lists in pages: signed cursors and the link to the next page. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { App } from "./index.ts";
import { integerText, invalid, text } from "./validation.ts";

const LENGTH = 48;
const FORM = /^[A-Za-z0-9_-]+$/;

export const pageQuery = {
  limit: integerText(1, 100, 20),
  cursor: z
    .string()
    .superRefine((value, context) => {
      if ([...value].length !== LENGTH) {
        context.addIssue({ code: "custom", message: "has the wrong form" });
      }
    })
    .meta({ minLength: LENGTH, maxLength: LENGTH })
    .optional(),
  q: text({ min: 1, max: 200 }).optional(),
};

function sign(key: string, userId: string, id: Buffer): Buffer {
  return createHmac("sha256", key).update(`cursor:${userId}`).update(id).digest().subarray(0, 20);
}

function makeCursor(app: App, userId: string, id: string): string {
  const bytes = Buffer.from(id.replaceAll("-", ""), "hex");
  const [newest = ""] = app.config.secretKeys;
  return Buffer.concat([bytes, sign(newest, userId, bytes)]).toString("base64url");
}

/** The id after which the page begins; a cursor of another user or none of ours is refused. */
export function readCursor(app: App, userId: string, cursor: string | undefined): string | null {
  if (cursor === undefined) {
    return null;
  }
  const bytes = Buffer.from(cursor, "base64url");
  const id = bytes.subarray(0, 16);
  const signature = bytes.subarray(16);
  const isOurs = (key: string) => timingSafeEqual(sign(key, userId, id), signature);
  if (!FORM.test(cursor) || !app.config.secretKeys.some(isOurs)) {
    throw invalid([{ pointer: "#/query/cursor", detail: "has the wrong form" }]);
  }
  return id.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

interface Page<T> {
  body: { items: T[]; next: string | null };
  headers: Record<string, string>;
}

/** `rows` holds one more than the limit when there is a next page. */
export function paginate<R extends { id: string }, T>(
  app: App,
  userId: string,
  path: string,
  query: Record<string, string | number | undefined> & { limit: number },
  rows: R[],
  show: (row: R) => T,
): Page<T> {
  const shown = rows.slice(0, query.limit);
  const last = shown.at(-1);
  if (rows.length <= query.limit || !last) {
    return { body: { items: shown.map(show), next: null }, headers: {} };
  }
  const cursor = makeCursor(app, userId, last.id);
  const kept = new URLSearchParams({ cursor });
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && name !== "cursor") {
      kept.set(name, String(value));
    }
  }
  const next = `${path}?${kept}`;
  return {
    body: { items: shown.map(show), next },
    headers: { Link: `<${app.config.publicUrl}${next}>; rel="next"` },
  };
}

/** A LIKE pattern for text that contains this; `!` is the escape sign on every database. */
export function containing(part: string): string {
  return `%${part.replace(/[!%_]/g, "!$&")}%`;
}
