/** Guessing protection: failures counted per account. */
import { hash } from "node:crypto";
import { Problem } from "../errors.ts";
import type { App } from "../index.ts";
import { inSeconds } from "../limits.ts";

const MOST = 5;
const WINDOW = 15 * 60 * 1_000_000;

/** Counts an attempt before it is made, so that attempts at once cannot exceed the limit. */
export async function reserveAttempt(app: App, email: string): Promise<void> {
  const wait = await app.store.attempt(keyOf(email), WINDOW, MOST);
  if (wait > 0) {
    app.record("login.blocked");
    const headers = { "Retry-After": String(Math.max(1, inSeconds(wait))) };
    throw new Problem("too-many-attempts", { headers });
  }
}

export async function forgetAttempts(app: App, email: string): Promise<void> {
  await app.store.forget(keyOf(email));
}

function keyOf(email: string): string {
  return `guess:${hash("sha256", email)}`;
}
