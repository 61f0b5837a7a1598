/** The second factor: time-based codes (RFC 6238) and recovery codes. */
import { hash, randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { type EntityManager, IsNull } from "typeorm";
import { insert } from "../db.ts";
import { Problem } from "../errors.ts";
import { newId, now, timestamp } from "../ids.ts";
import type { App } from "../index.ts";
import { invalid } from "../validation.ts";
import * as credentials from "./credentials.ts";
import { forgetAttempts, reserveAttempt } from "./guessing.ts";
import { RecoveryCodes, type User, Users } from "./model.ts";
import { seal, unseal } from "./sealing.ts";
import { type Device, isThere, type LoggedIn, renew } from "./sessions.ts";

const PERIOD = 30;
const SECRET_BYTES = 20;
const CODES = 10;
const CODE_BYTES = 15;

export interface Setup {
  secret: string;
  uri: string;
}

/** A secret that counts for nothing until a code of it was sent. */
export async function begin(app: App, user: User, password: string): Promise<Setup> {
  checkOff(user);
  await credentials.confirm(app, user, password);
  const bytes = randomBytes(SECRET_BYTES);
  const totp_secret = seal(app.config.secretKeys, user.id, bytes);
  await app.db.transaction(async (manager) => {
    checkOff(await credentials.hold(app, manager, user));
    await manager.update(Users, { id: user.id }, { totp_secret, totp_last_step: null });
  });
  const secret = base32(bytes);
  return { secret, uri: uriOf(app.about.name, user.email, secret) };
}

function uriOf(app: string, email: string, secret: string): string {
  const issuer = encodeURIComponent(app);
  const label = `${issuer}:${encodeURIComponent(email)}`;
  const rest = `secret=${secret}&issuer=${issuer}&algorithm=SHA1&digits=6&period=${PERIOD}`;
  return `otpauth://totp/${label}?${rest}`;
}

/** Switches the second factor on; returns the codes for when the device is lost. */
export async function confirm(
  app: App,
  user: User,
  code: string,
  device: Device,
): Promise<LoggedIn & { codes: string[] }> {
  checkBegun(user);
  await reserveAttempt(app, user.email_normalized);
  const codes = Array.from({ length: CODES }, newCode);
  const done = await app.db.transaction(async (manager) => {
    const held = await app.db.lock(manager, Users, { id: user.id });
    checkBegun(held ?? user);
    // Ended meanwhile, it must not get a new session in its place.
    if (!held || !(await isThere(manager, device.session))) {
      throw new Problem("unauthenticated");
    }
    if (!(await acceptStep(app, manager, held, code))) {
      throw invalid([{ pointer: "#/code", detail: "is wrong" }]);
    }
    const time = timestamp();
    const changes = { totp_confirmed_at: time, updated_at: time };
    await manager.update(Users, { id: user.id }, changes);
    await keepCodes(manager, user.id, codes);
    return renew(app, manager, { ...held, ...changes }, device);
  });
  await forgetAttempts(app, user.email_normalized);
  app.record("totp.enabled", { subject: user.id });
  app.mail.post(user.email, "totp-on");
  return { ...done, codes };
}

function checkBegun(user: User): void {
  checkOff(user);
  if (user.totp_secret === null) {
    throw new Problem("conflict");
  }
}

export async function end(
  app: App,
  user: User,
  password: string,
  device: Device,
): Promise<LoggedIn> {
  checkOn(user);
  await credentials.confirm(app, user, password);
  const done = await app.db.transaction(async (manager) => {
    const held = await credentials.hold(app, manager, user);
    checkOn(held);
    await credentials.removeSecondFactor(manager, user.id);
    const updated_at = timestamp();
    await manager.update(Users, { id: user.id }, { updated_at });
    return renew(app, manager, { ...held, totp_confirmed_at: null, updated_at }, device);
  });
  app.record("totp.disabled", { subject: user.id });
  app.mail.post(user.email, "totp-off");
  return done;
}

function checkOff(user: User): void {
  if (user.totp_confirmed_at !== null) {
    throw new Problem("conflict");
  }
}

function checkOn(user: User): void {
  if (user.totp_confirmed_at === null) {
    throw new Problem("conflict");
  }
}

/** What kind of code it is, and used up by now; null when it is wrong for this account. */
export async function accept(
  app: App,
  manager: EntityManager,
  user: User,
  code: string,
): Promise<"totp" | "recovery-code" | null> {
  if (/^[0-9]{6}$/.test(code)) {
    return (await acceptStep(app, manager, user, code)) ? "totp" : null;
  }
  return (await acceptRecovery(manager, user, code)) ? "recovery-code" : null;
}

async function acceptStep(
  app: App,
  manager: EntityManager,
  user: User,
  code: string,
): Promise<boolean> {
  const keys = app.config.secretKeys;
  const opened = unseal(keys, user.id, user.totp_secret ?? "");
  if (!opened) {
    app.log.error("a second factor cannot be read: its key is not among SECRET_KEYS");
    return false;
  }
  const step = stepOf(opened.bytes, code);
  if (step === null) {
    return false;
  }
  // Sealed anew with the first key, so that an old one can be dropped some day.
  const anew = opened.isOld ? { totp_secret: seal(keys, user.id, opened.bytes) } : {};
  const { affected } = await manager
    .createQueryBuilder()
    .update(Users)
    .set({ totp_last_step: String(step), ...anew })
    .where("id = :id", { id: user.id })
    .andWhere("(totp_last_step IS NULL OR totp_last_step < :step)", { step })
    .execute();
  return affected === 1;
}

/** The step a code belongs to: this one, the one before or the one after. */
function stepOf(bytes: Buffer, code: string): number | null {
  const milliseconds = now() / 1000;
  const totp = new TOTP({ secret: secretOf(bytes), period: PERIOD });
  const delta = totp.validate({ token: code, timestamp: milliseconds, window: 1 });
  return delta === null ? null : Math.floor(milliseconds / 1000 / PERIOD) + delta;
}

async function acceptRecovery(manager: EntityManager, user: User, code: string): Promise<boolean> {
  const unused = { user_id: user.id, code_hash: hashOf(code), used_at: IsNull() };
  const { affected } = await manager.update(RecoveryCodes, unused, { used_at: timestamp() });
  return affected === 1;
}

async function keepCodes(manager: EntityManager, userId: string, codes: string[]): Promise<void> {
  const created_at = timestamp();
  const rows = codes.map((code) => ({
    id: newId(),
    user_id: userId,
    code_hash: hashOf(code),
    created_at,
  }));
  await manager.delete(RecoveryCodes, { user_id: userId });
  await insert(manager, RecoveryCodes, rows);
}

/** 120 random bits in groups that can be read aloud. */
function newCode(): string {
  const text = base32(randomBytes(CODE_BYTES)).toLowerCase();
  return (text.match(/.{6}/g) ?? []).join("-");
}

function hashOf(code: string): string {
  const plain = code.replace(/[\s-]/g, "").toLowerCase();
  return hash("sha256", plain);
}

function base32(bytes: Buffer): string {
  return secretOf(bytes).base32;
}

function secretOf(bytes: Buffer): Secret {
  return new Secret({ buffer: new Uint8Array(bytes).buffer });
}
