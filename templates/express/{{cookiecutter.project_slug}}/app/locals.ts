/** What is known about a request while it is answered. */
import type { Response } from "express";
import type { Visitor } from "./auth/sessions.ts";

export interface Locals {
  requestId: string;
  /** What the answer carries beside what is set on it. */
  headers: Record<string, string>;
  client: string;
  route: string;
  isQuiet: boolean;
  tokenRefused: boolean;
  visitor: Visitor | null;
}

export function locals(response: Response): Locals {
  return response.locals as Locals;
}
