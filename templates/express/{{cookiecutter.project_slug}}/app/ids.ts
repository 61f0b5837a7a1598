/** Identifiers and times: UUIDv7 (RFC 9562) and UTC with microseconds. */
import { randomUUID } from "node:crypto";

export const DAY = 86_400_000_000;

let anchor = performance.timeOrigin;
let last = 0n;

/** Microseconds since 1970: the wall clock, with the fine part of the steady one. */
export function now(): number {
  const wall = Date.now();
  if (Math.abs(anchor + performance.now() - wall) > 2) {
    anchor = wall - performance.now();
  }
  return Math.floor((anchor + performance.now()) * 1000);
}

/** `YYYY-MM-DDTHH:MM:SS.ffffffZ` */
export function timestamp(micros: number = now()): string {
  const fraction = String(micros % 1_000_000).padStart(6, "0");
  return `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** What `timestamp` shows, as a number; to the millisecond. */
export function microsOf(timestamp: string): number {
  return Date.parse(timestamp) * 1000;
}

/** A UUIDv7 whose first 60 bits of time never repeat or go back within a process. */
export function newId(): string {
  const micros = BigInt(now());
  let time = (micros / 1000n) * 4096n + ((micros % 1000n) * 4096n) / 1000n;
  if (time <= last) {
    time = last + 1n;
  }
  last = time;
  const hex = time.toString(16).padStart(15, "0");
  // Node's own keeps random bytes ready: a call of the system for each is a fifth of a probe.
  const tail = randomUUID().slice(19);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(12)}-${tail}`;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The identifier in lower case, or null when it is none. */
export function parseId(value: string): string | null {
  return UUID.test(value) ? value.toLowerCase() : null;
}
