/** The rules of registering and logging in. */
import { type EntityManager, Not } from "typeorm";
import { insert } from "../db.ts";
import { Problem } from "../errors.ts";
import { newId, timestamp } from "../ids.ts";
import type { App } from "../index.ts";
import { greetAgain, hold, refused, resend } from "./credentials.ts";
import { forgetAttempts, reserveAttempt } from "./guessing.ts";
import { normalizeEmail, Sessions, type User, Users } from "./model.ts";
import { checkPassword, hashPassword, isOutdated, verifyPassword } from "./passwords.ts";
import { begin, type Device, type LiveSession, type LoggedIn } from "./sessions.ts";
import * as totp from "./totp.ts";

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
    await app.db.transaction((manager) => insert(manager, Users, user));
  } catch (error) {
    if (!app.db.isUniqueViolation(error)) {
      throw error;
    }
    app.record("register.known");
    greetAgain(app, normalized);
    return;
  }
  app.record("register", { subject: user.id });
  resend(app, normalized);
}

interface LogIn {
  email: string;
  password: string;
  code?: string | undefined;
}

/** A session for who proves to be this account, in place of the one that was sent along. */
export async function logIn(app: App, wanted: LogIn, device: Device): Promise<LoggedIn> {
  const { password, code } = wanted;
  const email = normalizeEmail(wanted.email);
  await reserveAttempt(app, email);
  const user = await authenticate(app, email, password);
  const fresh = isOutdated(user.password_hash) ? await hashPassword(password) : null;
  const { factor, ...done } = await app.db.transaction(async (manager) => {
    const held = await hold(app, manager, user);
    const factor = await checkCode(app, manager, held, code);
    if (app.config.requireVerifiedEmail && held.email_verified_at === null) {
      throw new Problem("email-not-verified");
    }
    if (fresh !== null) {
      await manager.update(Users, { id: user.id }, { password_hash: fresh });
    }
    if (device.session !== null) {
      await manager.delete(Sessions, { id: device.session.id });
    }
    return { factor, ...(await begin(app, manager, held, device)) };
  });
  await forgetAttempts(app, email);
  if (factor === "recovery-code") {
    app.record("recovery-code.used", { subject: user.id });
  }
  app.record("login", { subject: user.id, factor });
  return done;
}

/** The account with this password; anything else is one and the same problem. */
async function authenticate(app: App, email: string, password: string): Promise<User> {
  const user = await app.db.run((manager) => manager.findOneBy(Users, { email_normalized: email }));
  const isRight = await verifyPassword(user?.password_hash, password);
  if (!user || !isRight || user.disabled) {
    throw refused(app, user);
  }
  return user;
}

/** By what the account proved itself; a code is wanted besides the password once it is set up. */
async function checkCode(
  app: App,
  manager: EntityManager,
  user: User,
  code: string | undefined,
): Promise<"password" | "totp" | "recovery-code"> {
  if (user.totp_confirmed_at === null) {
    return "password";
  }
  if (code === undefined) {
    throw new Problem("second-factor-required");
  }
  const factor = await totp.accept(app, manager, user, code);
  if (factor === null) {
    throw refused(app, user);
  }
  return factor;
}

export async function endSession(app: App, user: User, id: string): Promise<void> {
  const result = await app.db.run((manager) => manager.delete(Sessions, { id, user_id: user.id }));
  if (!result.affected) {
    throw new Problem("not-found");
  }
  app.record("session.ended", { subject: user.id });
}

export async function endOtherSessions(app: App, user: User, current: LiveSession): Promise<void> {
  await app.db.run((manager) =>
    manager.delete(Sessions, { user_id: user.id, id: Not(current.id) }),
  );
  app.record("sessions.ended", { subject: user.id });
}

export async function logOut(app: App, user: User, session: LiveSession): Promise<void> {
  await app.db.run((manager) => manager.delete(Sessions, { id: session.id }));
  app.record("logout", { subject: user.id });
}
