/** Bodies: read within bounds and parsed strictly. */
import type { Request, Response } from "express";
import { Problem } from "./errors.ts";

const MOST_BYTES = 1_048_576;
const MOST_DEPTH = 32;
const LINGER = 2000;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function checkLength(request: Request): void {
  if (Number(request.headers["content-length"] ?? 0) > MOST_BYTES) {
    throw tooLarge(request);
  }
}

/** An accepted media type, in UTF-8 and not compressed. */
export function checkMediaType(request: Request, accepted: readonly string[]): void {
  const types = request.headersDistinct["content-type"] ?? [];
  const [type = "", ...parameters] = types.join().split(";");
  const isKnown = accepted.includes(type.trim().toLowerCase());
  const isUtf8 = parameters
    .map((parameter) => parameter.trim().toLowerCase().replaceAll('"', ""))
    .every((parameter) => !parameter.startsWith("charset=") || parameter === "charset=utf-8");
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (!isKnown || !isUtf8 || encoding.toLowerCase() !== "identity") {
    throw new Problem("unsupported-media-type");
  }
}

export async function readJson(request: Request, response: Response): Promise<unknown> {
  return parseJson(await readBytes(request, response));
}

function readBytes(request: Request, response: Response): Promise<Buffer> {
  if (request.headers.expect?.toLowerCase() === "100-continue") {
    response.writeContinue();
  }
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MOST_BYTES) {
      reject(tooLarge(request));
      return;
    }
    chunks.push(chunk);
  });
  request.on("end", () => resolve(Buffer.concat(chunks)));
  request.on("error", () => reject(new Problem("bad-request")));
  request.on("close", () => reject(new Problem("bad-request")));
  return promise;
}

function tooLarge(request: Request): Problem {
  // The client may need a moment to stop sending before it reads the answer; not forever.
  setTimeout(() => {
    if (!request.complete) {
      request.socket.destroy();
    }
  }, LINGER).unref();
  return new Problem("content-too-large");
}

/** JSON in one meaning only: UTF-8 without a mark, no key twice, not too deep. */
function parseJson(bytes: Buffer): unknown {
  try {
    const text = decoder.decode(bytes);
    checkStructure(text);
    return JSON.parse(text);
  } catch {
    throw new Problem("malformed-json");
  }
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/** Refuses what JSON.parse lets pass; everything else is left to it. */
function checkStructure(text: string): void {
  const open: (Set<string> | null)[] = [];
  let key = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") {
      open.push(token === "{" ? new Set() : null);
      if (open.length > MOST_DEPTH) {
        throw new SyntaxError("too deep");
      }
    } else if (token === "}" || token === "]") {
      open.pop();
    } else if (token.startsWith('"')) {
      key = token;
    } else if (token === ":") {
      const name: string = JSON.parse(key);
      if (open.at(-1)?.has(name)) {
        throw new SyntaxError("a key twice");
      }
      open.at(-1)?.add(name);
    }
  }
}
