/** The rules of registering and logging in. */
import { Not } from "typeorm";
import { Problem } from "../errors.ts";
import { newId, timestamp } from "../ids.ts";
import type { App } from "../index.ts";
import { forgetAttempts, reserveAttempt } from "./guessing.ts";
import { type Session, Sessions, type User, Users } from "./model.ts";
import { checkPassword, hashPassword, isOutdated, verifyPassword } from "./passwords.ts";

export function normalizeEmail(email: string): string {
  return email.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

interface NewAccount {
  email: string;
  password: string;
  name: string;
}

/** Tells nothing about whether the address is known: same work, same answer. */
export async function register(app: App, account: NewAccount): Promise<void> {
  const normalized = normalizeEmail(account.email);
  const password = checkPassword(account.password, normalized, account.name);
  const time = timestamp();
  const user = {
    id: newId(),
    email: account.email,
    email_normalized: normalized,
    name: account.name,
    password_hash: await hashPassword(password),
    created_at: time,
    updated_at: time,
  };
  try {
    await app.db.transaction((manager) => manager.insert(Users, user));
  } catch (error) {
    if (!app.db.isUniqueViolation(error)) {
      throw error;
    }
    app.record("register.known");
    return;
  }
  app.record("register", { user_id: user.id });
}

/** The account with this password; anything else is one and the same problem. */
export async function authenticate(app: App, email: string, password: string): Promise<User> {
  const normalized = normalizeEmail(email);
  await reserveAttempt(app, normalized);
  const user = await app.db.run((manager) =>
    manager.findOneBy(Users, { email_normalized: normalized }),
  );
  const isRight = await verifyPassword(user?.password_hash, password);
  if (!user || !isRight || user.disabled) {
    app.record("login.failed", user ? { user_id: user.id } : {});
    throw new Problem("invalid-credentials");
  }
  await forgetAttempts(app, normalized);
  if (isOutdated(user.password_hash)) {
    const password_hash = await hashPassword(password);
    await app.db.run((manager) => manager.update(Users, { id: user.id }, { password_hash }));
  }
  return user;
}

export async function endSession(app: App, user: User, id: string): Promise<void> {
  const result = await app.db.run((manager) => manager.delete(Sessions, { id, user_id: user.id }));
  if (!result.affected) {
    throw new Problem("not-found");
  }
  app.record("session.ended", { user_id: user.id });
}

export async function endOtherSessions(app: App, user: User, current: Session): Promise<void> {
  await app.db.run((manager) =>
    manager.delete(Sessions, { user_id: user.id, id: Not(current.id) }),
  );
  app.record("sessions.ended", { user_id: user.id });
}

export async function logOut(app: App, user: User, session: Session): Promise<void> {
  await app.db.run((manager) => manager.delete(Sessions, { id: session.id }));
  app.record("logout", { user_id: user.id });
}
