/** What is wrong with a request, as pointers and plain sentences. */
import { z } from "zod";
import { type FieldError, Problem } from "./errors.ts";

/** The named shapes of the OpenAPI document. */
export const shapes = z.registry<{ id: string }>();

const MOST_ERRORS = 100;
const ASCII_EMAIL =
  "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$";

type Shape = Record<string, z.ZodType>;

/** What a client sends: nothing but these members. */
export function request<S extends Shape>(name: string, shape: S) {
  return z.strictObject(shape).register(shapes, { id: name });
}

/** What a client gets. */
export const answer = request;

/** Text whose length counts characters, not the units a language stores them in. */
export function text(rule: { min?: number; max?: number; pattern?: string } = {}) {
  const pattern = rule.pattern === undefined ? undefined : new RegExp(rule.pattern, "u");
  const check = (value: string): string | undefined => {
    const length = [...value].length;
    if (length < (rule.min ?? 0)) {
      return `must have at least ${rule.min} characters`;
    }
    if (length > (rule.max ?? Number.POSITIVE_INFINITY)) {
      return `must have at most ${rule.max} characters`;
    }
    return pattern && !pattern.test(value) ? "has the wrong form" : undefined;
  };
  return z
    .string()
    .superRefine((value, context) => {
      const message = check(value);
      if (message !== undefined) {
        context.addIssue({ code: "custom", message });
      }
    })
    .meta({
      ...(rule.min === undefined ? {} : { minLength: rule.min }),
      ...(rule.max === undefined ? {} : { maxLength: rule.max }),
      ...(rule.pattern === undefined ? {} : { pattern: rule.pattern }),
    });
}

export function email() {
  return text({ max: 254, pattern: ASCII_EMAIL });
}

/** A list whose items are all different. */
export function uniqueList<T extends z.ZodType>(item: T, most: number) {
  return z
    .array(item)
    .max(most)
    .superRefine((items, context) => {
      if (new Set(items).size < items.length) {
        context.addIssue({ code: "custom", message: "must not repeat" });
      }
    })
    .meta({ uniqueItems: true });
}

/** A whole number, as a query spells it. */
export function integerText(least: number, most: number, fallback: number) {
  return z
    .string()
    .superRefine((value, context) => {
      const message = wrongInteger(value, least, most);
      if (message !== undefined) {
        context.addIssue({ code: "custom", message });
      }
    })
    .transform(Number)
    .default(fallback)
    .meta({ type: "integer", minimum: least, maximum: most, fallback });
}

function wrongInteger(value: string, least: number, most: number): string | undefined {
  if (!/^-?\d+$/.test(value)) {
    return "must be an integer";
  }
  if (Number(value) < least) {
    return `must be at least ${least}`;
  }
  return Number(value) > most ? `must be at most ${most}` : undefined;
}

export function uuid() {
  return z.string().meta({ format: "uuid" });
}

export function dateTime() {
  return z.string().meta({ format: "date-time" });
}

export const BAD_TEXT = "must not contain a NUL character or a lone surrogate";

/** Text that not every database can hold, or no Unicode at all. */
export function isBadText(value: string): boolean {
  return value.includes("\0") || !value.isWellFormed();
}

/** Refuses bad text wherever it stands, before anything else is said about the body. */
export function checkText(body: unknown): void {
  const wrong = [...badPlaces(body, [])];
  if (wrong.length > 0) {
    throw invalid(wrong.map((path) => ({ pointer: pointerTo("#", path), detail: BAD_TEXT })));
  }
}

function* badPlaces(value: unknown, path: PropertyKey[]): Generator<PropertyKey[]> {
  if (typeof value === "string" && isBadText(value)) {
    yield path;
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      const place = [...path, key];
      yield* isBadText(key) ? [place] : badPlaces(inner, place);
    }
  }
}

/** The value as the schema makes it, or a problem that names each mistake. */
export function validate<T extends z.ZodType>(schema: T, value: unknown, base = "#"): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) {
    return result.data;
  }
  throw invalid(result.error.issues.flatMap((issue) => explain(issue, value, base)));
}

export function invalid(errors: FieldError[]): Problem {
  const first = new Map<string, FieldError>();
  for (const error of errors) {
    if (!first.has(error.pointer)) {
      first.set(error.pointer, error);
    }
  }
  const sorted = [...first.values()].sort((a, b) => (a.pointer < b.pointer ? -1 : 1));
  return new Problem("validation", { members: { errors: sorted.slice(0, MOST_ERRORS) } });
}

function explain(issue: z.core.$ZodIssue, value: unknown, base: string): FieldError[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      pointer: pointerTo(base, [...issue.path, key]),
      detail: "is not allowed",
    }));
  }
  return [{ pointer: pointerTo(base, issue.path), detail: sentence(issue, value) }];
}

function sentence(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.path.length > 0 && at(value, issue.path) === undefined) {
    return "is required";
  }
  if (issue.code === "invalid_type") {
    return TYPES[issue.expected] ?? "has the wrong form";
  }
  if (issue.code === "invalid_value") {
    return `must be one of: ${issue.values.join(", ")}`;
  }
  if (issue.code === "too_big") {
    return `must have at most ${issue.maximum} items`;
  }
  return issue.code === "custom" ? issue.message : "has the wrong form";
}

const TYPES: Record<string, string> = {
  string: "must be a string",
  boolean: "must be a boolean",
  array: "must be a list",
  object: "must be an object",
};

function at(value: unknown, path: PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    const isObject = typeof found === "object" && found !== null && Object.hasOwn(found, key);
    found = isObject ? (found as Record<PropertyKey, unknown>)[key] : undefined;
  }
  return found;
}

/** RFC 6901, as a URI fragment. */
function pointerTo(base: string, path: PropertyKey[]): string {
  const steps = path.map((key) => String(key).replaceAll("~", "~0").replaceAll("/", "~1"));
  return [base, ...steps.map((step) => encodeURIComponent(step.toWellFormed()))].join("/");
}
