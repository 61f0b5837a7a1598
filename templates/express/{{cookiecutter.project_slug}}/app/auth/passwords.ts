/** Passwords: what is accepted and how it is kept. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { hash, verify } from "@node-rs/argon2";
import { invalid } from "../validation.ts";

// Argon2id as OWASP advises: 19 MiB, two passes, one lane.
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const CURRENT = "$argon2id$v=19$m=19456,t=2,p=1$";
// Shorter parts turn up in good passwords by chance.
const TELLING = 3;

let common: Set<string> | undefined;

/** Whether it is on the list, which is read when it is first needed. */
function isCommon(password: string): boolean {
  const file = new URL("../data/passwords.txt", import.meta.url);
  common ??= new Set(readFileSync(file, "utf8").split("\n"));
  return common.has(password);
}

/** The password as it is hashed, or a problem that says what is wrong with it. */
export function checkPassword(password: string, email: string, name: string): string {
  const normal = checkStrength(password);
  checkPersonal(normal, email, name);
  return normal;
}

/** What can be said without knowing whose it is. */
export function checkStrength(password: string): string {
  const normal = password.normalize("NFKC");
  const length = [...normal].length;
  if (length < 12 || length > 128) {
    throw refused("must have between 12 and 128 characters");
  }
  if (isCommon(normal.toLowerCase())) {
    throw refused("is too common");
  }
  return normal;
}

export function checkPersonal(normal: string, email: string, name: string): void {
  const folded = normal.toLowerCase();
  const address = email.toLowerCase();
  const parts = [address, address.split("@")[0] ?? "", name.normalize("NFKC").toLowerCase()];
  if (parts.some((part) => [...part].length >= TELLING && folded.includes(part))) {
    throw refused("must not contain the address or the name");
  }
}

function refused(detail: string) {
  return invalid([{ pointer: "#/password", detail }]);
}

// No more hashes at once than cores: each takes 19 MiB and a core.
let free = availableParallelism();
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) {
    free -= 1;
  } else {
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) {
      next();
    } else {
      free += 1;
    }
  }
}

export function hashPassword(password: string): Promise<string> {
  return inTurn(() => hash(password.normalize("NFKC"), COST));
}

// Right for no password, and verified in the same time as a real one.
const NOBODYS = `${CURRENT}${digits(16)}$${digits(32)}`;

function digits(size: number): string {
  return randomBytes(size).toString("base64").replaceAll("=", "");
}

/** Takes as long for an account that does not exist. */
export async function verifyPassword(kept: string | undefined, password: string): Promise<boolean> {
  const normal = password.normalize("NFKC");
  const isRight = await inTurn(() => verify(kept ?? NOBODYS, normal));
  return isRight && kept !== undefined;
}

export function isOutdated(kept: string): boolean {
  return !kept.startsWith(CURRENT);
}
