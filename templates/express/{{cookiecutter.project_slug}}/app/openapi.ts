/** The OpenAPI document, from the routes and the schemas that validate. */
import { z } from "zod";
import type { Operation } from "./api.ts";
import type { About } from "./config.ts";
import { titles } from "./errors.ts";
import { answer, shapes } from "./validation.ts";

type Json = Record<string, unknown>;

const COMPONENTS = "#/components";
const PROBLEM = "application/problem+json";

const FieldErrorShape = answer("FieldError", { pointer: z.string(), detail: z.string() });
z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number().meta({ type: "integer" }),
  detail: z.string(),
  instance: z.string(),
  request_id: z.string(),
  errors: z.array(FieldErrorShape).optional(),
}).register(shapes, { id: "Problem" });

export function openApi(about: About, operations: readonly Operation[]): Json {
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: describe(operation) };
  }
  return {
    openapi: "3.1.0",
    info: { title: about.name, version: about.version },
    paths,
    components: {
      schemas: schemas(),
      responses: responses(),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        cookie: { type: "apiKey", in: "cookie", name: "session" },
      },
    },
  };
}

function schemas(): Json {
  const uri = (id: string) => `${COMPONENTS}/schemas/${id}`;
  const all = z.toJSONSchema(shapes, { io: "input", uri }).schemas;
  return Object.fromEntries(
    Object.entries(all).map(([name, { $schema, $id, ...schema }]) => [name, tidy(schema)]),
  );
}

/** The library's dialect in the words of the document, all the way down. */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(tidy);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const { propertyNames, fallback, type, additionalProperties: more, ...rest } = value as Json;
  return {
    ...Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, tidy(inner)])),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(Array.isArray(type) ? { anyOf: type.map((each) => ({ type: each })) } : {}),
    ...(type === undefined || Array.isArray(type) ? {} : { type: tidy(type) }),
    ...(more === undefined ? {} : { additionalProperties: isAnything(more) || tidy(more) }),
  };
}

function isAnything(schema: unknown): boolean {
  return typeof schema === "object" && schema !== null && Object.keys(schema).length === 0;
}

function inline(schema: z.ZodType): Json {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return tidy(rest) as Json;
}

function refTo(schema: z.ZodType): Json {
  return { $ref: `${COMPONENTS}/schemas/${shapes.get(schema)?.id}` };
}

/** "Not Found" → NotFound */
function responseName(status: number): string {
  return (titles()[status] ?? "").replaceAll(" ", "");
}

function responses(): Json {
  const shared = Object.entries(titles()).filter(([status]) => status !== "405");
  return Object.fromEntries(
    shared.map(([status, title]) => [
      responseName(Number(status)),
      {
        description: title,
        content: { [PROBLEM]: { schema: { $ref: `${COMPONENTS}/schemas/Problem` } } },
      },
    ]),
  );
}

function describe(operation: Operation): Json {
  const { body, access } = operation;
  const media = operation.media ?? ["application/json"];
  const content = body && media.map((type) => [type, { schema: refTo(body) }]);
  const isOpen = access === "anyone" || access === "probe";
  const parameters = describeParameters(operation);
  return {
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(content ? { requestBody: { required: true, content: Object.fromEntries(content) } } : {}),
    responses: describeResponses(operation),
    security: isOpen ? [] : [{ bearer: [] }, { cookie: [] }],
  };
}

function describeParameters(operation: Operation): Json[] {
  const parameters: Json[] = [];
  if (operation.path.includes("{id}")) {
    const schema = { type: "string", format: "uuid" };
    parameters.push({ name: "id", in: "path", required: true, schema });
  }
  const query = operation.query ? inline(operation.query).properties : {};
  for (const [name, schema] of Object.entries(query as Json)) {
    parameters.push({ name, in: "query", required: false, schema });
  }
  if (operation.precondition) {
    const name = operation.precondition === "match" ? "If-Match" : "If-None-Match";
    parameters.push({ name, in: "header", required: false, schema: { type: "string" } });
  }
  return parameters;
}

const SUCCESS: Record<number, string> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
};

function describeResponses(operation: Operation): Json {
  const { result, status, precondition } = operation;
  const names = headerNames(operation);
  const text = { schema: { type: "string" } };
  const success: Json = {
    description: SUCCESS[status],
    ...(result ? { content: { "application/json": { schema: refTo(result) } } } : {}),
    ...(names.length > 0 ? { headers: Object.fromEntries(names.map((name) => [name, text])) } : {}),
  };
  const problems = problemStatuses(operation).map((code) => [
    String(code),
    { $ref: `${COMPONENTS}/responses/${responseName(code)}` },
  ]);
  return {
    [status]: success,
    ...(precondition === "none" ? { 304: { description: "Not Modified" } } : {}),
    ...Object.fromEntries(problems),
  };
}

function headerNames(operation: Operation): string[] {
  const hasTag = operation.precondition && operation.method !== "delete";
  return [
    ...(hasTag || operation.hasLocation ? ["ETag"] : []),
    ...(operation.hasLocation ? ["Location"] : []),
    ...(operation.query ? ["Link"] : []),
  ];
}

/** What every operation of this kind may answer, and what is its own. */
function problemStatuses(operation: Operation): number[] {
  const { access, body, method, path, precondition, problems, query } = operation;
  if (access === "probe") {
    return [...(problems ?? [])];
  }
  const isMember = access === "user" || access === "admin";
  const statuses = [
    406,
    429,
    500,
    ...(isMember ? [401, 503] : []),
    ...(isMember && method !== "get" ? [403] : []),
    ...(access === "admin" ? [403] : []),
    ...(path.includes("{id}") ? [404] : []),
    ...(query ? [400, 422] : []),
    ...(body ? [400, 413, 415, 422] : []),
    ...(precondition === "match" ? [412] : []),
    ...(problems ?? []),
  ];
  return [...new Set(statuses)].sort();
}
