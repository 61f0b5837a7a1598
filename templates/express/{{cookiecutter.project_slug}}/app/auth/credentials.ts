/** The rules of confirming addresses and of setting passwords. */
import type { EntityManager } from "typeorm";
import { Problem } from "../errors.ts";
import { timestamp } from "../ids.ts";
import type { App } from "../index.ts";
import type { Post } from "../mail/index.ts";
import { forgetAttempts, reserveAttempt } from "./guessing.ts";
import {
  normalizeEmail,
  type OneTimeToken,
  RecoveryCodes,
  Sessions,
  type User,
  Users,
} from "./model.ts";
import {
  checkPassword,
  checkStrength,
  checkPersonal,
  hashPassword,
  verifyPassword,
} from "./passwords.ts";
import { type Device, type LoggedIn, renew } from "./sessions.ts";
import * as tokens from "./tokens.ts";

/** Asks for the password again before something that matters. */
export async function confirm(app: App, user: User, password: string): Promise<void> {
  await reserveAttempt(app, user.email_normalized);
  if (!(await verifyPassword(user.password_hash, password))) {
    throw refused(app, user);
  }
  await forgetAttempts(app, user.email_normalized);
}

export function refused(app: App, user: User | null): Problem {
  app.record("login.failed", user ? { subject: user.id } : {});
  return new Problem("invalid-credentials");
}

/** The account as it is now, held until the transaction ends; refused when it was changed since. */
export async function hold(app: App, manager: EntityManager, user: User): Promise<User> {
  const held = await app.db.lock(manager, Users, { id: user.id });
  if (!held || held.disabled || held.password_hash !== user.password_hash) {
    throw refused(app, user);
  }
  return held;
}

/** For an account that somebody tried to make again. */
export function greetAgain(app: App, email: string): void {
  withAccount(app, email, async (user, post) => post(user.email, "known-address"));
}

/** A link that confirms the address, for a new account or once more. */
export function resend(app: App, email: string): void {
  withAccount(app, email, async (user, post) => {
    if (user.email_verified_at === null) {
      post(user.email, "verify-email", await makeLink(app, user, "verify-email"));
    }
  });
}

export function forgot(app: App, email: string): void {
  withAccount(app, email, async (user, post) => {
    post(user.email, "reset-password", await makeLink(app, user, "reset-password"));
  });
}

/** After the answer, so that nothing in it can tell whether there is such an account. */
function withAccount(
  app: App,
  email: string,
  work: (user: User, post: Post) => Promise<void>,
): void {
  const email_normalized = normalizeEmail(email);
  app.mail.later(async (post) => {
    const user = await app.db.run((manager) => manager.findOneBy(Users, { email_normalized }));
    if (user && !user.disabled) {
      await work(user, post);
    }
  });
}

async function makeLink(app: App, user: User, purpose: OneTimeToken["purpose"]): Promise<string> {
  const token = await app.db.transaction(async (manager) => {
    await app.db.lock(manager, Users, { id: user.id });
    return tokens.make(manager, user, purpose);
  });
  // Behind the #: it never reaches a server, a log or another site.
  return `${app.config.publicUrl}/${purpose}#token=${token}`;
}

export async function verify(app: App, token: string): Promise<void> {
  const found = await app.db.run((manager) => tokens.find(manager, token, "verify-email"));
  if (!found) {
    throw tokens.wrong();
  }
  await app.db.transaction(async (manager) => {
    const user = await app.db.lock(manager, Users, { id: found.user_id });
    await tokens.use(manager, found);
    const time = timestamp();
    if (user?.email_verified_at === null) {
      const changes = { email_verified_at: time, updated_at: time };
      await manager.update(Users, { id: user.id }, changes);
    }
  });
  app.record("email.verified", { subject: found.user_id });
}

/** The mail with the token has proved the address as well. */
export async function reset(app: App, token: string, password: string): Promise<void> {
  const normal = checkStrength(password);
  const found = await app.db.run((manager) => tokens.find(manager, token, "reset-password"));
  if (!found || found.user.disabled) {
    throw tokens.wrong();
  }
  checkPersonal(normal, found.user.email_normalized, found.user.name);
  const password_hash = await hashPassword(normal);
  const { id, email, email_normalized } = found.user;
  await app.db.transaction(async (manager) => {
    const user = await app.db.lock(manager, Users, { id });
    if (!user || user.disabled) {
      throw tokens.wrong();
    }
    await tokens.use(manager, found);
    const updated_at = timestamp();
    const email_verified_at = user.email_verified_at ?? updated_at;
    if (user.email_verified_at === null) {
      // Whoever switched it on never proved to own the address; the mail does.
      await removeSecondFactor(manager, id);
    }
    await manager.update(Users, { id }, { password_hash, email_verified_at, updated_at });
    await manager.delete(Sessions, { user_id: id });
    await tokens.drop(manager, id);
  });
  await forgetAttempts(app, email_normalized);
  app.record("password.reset", { subject: id });
  app.mail.post(email, "password-changed");
}

export async function removeSecondFactor(manager: EntityManager, id: string): Promise<void> {
  const nothing = { totp_secret: null, totp_confirmed_at: null, totp_last_step: null };
  await manager.update(Users, { id }, nothing);
  await manager.delete(RecoveryCodes, { user_id: id });
}

export async function change(
  app: App,
  user: User,
  passwords: { current_password: string; password: string },
  device: Device,
): Promise<LoggedIn> {
  const normal = checkPassword(passwords.password, user.email_normalized, user.name);
  await confirm(app, user, passwords.current_password);
  const password_hash = await hashPassword(normal);
  const done = await app.db.transaction(async (manager) => {
    const held = await hold(app, manager, user);
    const changes = { password_hash, updated_at: timestamp() };
    await manager.update(Users, { id: user.id }, changes);
    await tokens.drop(manager, user.id);
    return renew(app, manager, { ...held, ...changes }, device);
  });
  app.record("password.changed", { subject: user.id });
  app.mail.post(user.email, "password-changed");
  return done;
}
