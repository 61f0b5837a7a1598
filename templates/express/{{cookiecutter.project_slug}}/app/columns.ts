/** Columns that several tables share. */
import type { EntitySchemaColumnOptions } from "typeorm";

/** 2026-01-31T12:00:00.000000Z here, 2026-01-31 12:00:00.000000 there. */
const utc = {
  to: (value: unknown) =>
    typeof value === "string" ? `${value.slice(0, 10)} ${value.slice(11, 26)}` : value,
  from: (value: unknown) => (typeof value === "string" ? shown(value) : value),
};

/** A time as clients see it; a database may leave out zeros at its end, and name the zone. */
export function shown(value: string): string {
  const bare = value.endsWith("+00") ? value.slice(0, -3) : value;
  return `${bare.slice(0, 10)}T${bare.slice(11, 19)}.${bare.slice(20).padEnd(6, "0")}Z`;
}

/** A time as the database's queries want it. */
export function stored(timestamp: string): string {
  return String(utc.to(timestamp));
}

export function short(length: number): EntitySchemaColumnOptions {
  return { type: "varchar", length };
}

export function id(): EntitySchemaColumnOptions {
  return short(36);
}

/** Declared as text: as a date it would be read into a Date, and lose its microseconds. */
export function time(): EntitySchemaColumnOptions {
  return { type: "varchar", transformer: utc };
}
