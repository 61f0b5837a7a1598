/** Preconditions: ETag, If-Match and If-None-Match. */
import type { Request } from "express";
import { Problem } from "./errors.ts";

const TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

export function etagOf(version: number): string {
  return `"${version}"`;
}

/** If-Match: strong comparison (RFC 9110, 13.1.1). */
export function checkMatch(request: Request, version: number, isRequired: boolean): void {
  const header = request.headers["if-match"];
  if (header === undefined) {
    if (isRequired) {
      throw new Problem("precondition-required");
    }
    return;
  }
  const tags = [...header.matchAll(TAG)].filter(([, weak]) => !weak).map(([, , tag]) => tag);
  if (header.trim() !== "*" && !tags.includes(etagOf(version))) {
    throw new Problem("precondition-failed");
  }
}

/** If-None-Match: weak comparison (RFC 9110, 13.1.2). */
export function isUnchanged(request: Request, version: number): boolean {
  const header = request.headers["if-none-match"];
  if (header === undefined) {
    return false;
  }
  const tags = [...header.matchAll(TAG)].map(([, , tag]) => tag);
  return header.trim() === "*" || tags.includes(etagOf(version));
}
