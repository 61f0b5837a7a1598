/** One-time tokens: made, and used once. */
import { randomBytes } from "node:crypto";
import { type EntityManager, IsNull, LessThanOrEqual, MoreThan, Not } from "typeorm";
import { insert } from "../db.ts";
import type { Problem } from "../errors.ts";
import { DAY, newId, now, timestamp } from "../ids.ts";
import { invalid } from "../validation.ts";
import { type OneTimeToken, OneTimeTokens, type User } from "./model.ts";
import { hashOf } from "./sessions.ts";

type Purpose = OneTimeToken["purpose"];

const LIFETIMES: Record<Purpose, number> = { "verify-email": DAY, "reset-password": DAY / 24 };

/** A fresh token, which is kept nowhere; what is over of the user's others is removed. */
export async function make(manager: EntityManager, user: User, purpose: Purpose): Promise<string> {
  const token = randomBytes(32).toString("base64url");
  const time = now();
  const owner = { user_id: user.id };
  await manager.delete(OneTimeTokens, { ...owner, used_at: Not(IsNull()) });
  await manager.delete(OneTimeTokens, { ...owner, expires_at: LessThanOrEqual(timestamp(time)) });
  await insert(manager, OneTimeTokens, {
    id: newId(),
    ...owner,
    purpose,
    email_normalized: user.email_normalized,
    token_hash: hashOf(token),
    created_at: timestamp(time),
    expires_at: timestamp(time + LIFETIMES[purpose]),
  });
  return token;
}

export type Found = OneTimeToken & { user: User };

/** The token with its user, while it may be used for this and the address is still the user's. */
export async function find(
  manager: EntityManager,
  token: string,
  purpose: Purpose,
): Promise<Found | null> {
  const found = (await manager.findOne(OneTimeTokens, {
    where: { token_hash: hashOf(token), purpose },
    relations: { user: true },
  })) as Found | null;
  const isGood =
    found !== null &&
    found.used_at === null &&
    found.expires_at > timestamp() &&
    found.email_normalized === found.user.email_normalized;
  return isGood ? found : null;
}

/** Of all who use it at once, one comes through. */
export async function use(manager: EntityManager, { id }: OneTimeToken): Promise<void> {
  const time = timestamp();
  const unused = { id, used_at: IsNull(), expires_at: MoreThan(time) };
  const { affected } = await manager.update(OneTimeTokens, unused, { used_at: time });
  if (!affected) {
    throw wrong();
  }
}

/** Removes what would still set a new password. */
export async function drop(manager: EntityManager, userId: string): Promise<void> {
  const unused = { user_id: userId, purpose: "reset-password", used_at: IsNull() } as const;
  await manager.delete(OneTimeTokens, unused);
}

export function wrong(): Problem {
  return invalid([{ pointer: "#/token", detail: "is wrong, used or expired" }]);
}
