/** Messages that were written into a directory, as their reader sees them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Mail {
  headers: string;
  subject: string;
  text: string;
  html: string;
}

/** Those to one address, oldest first. */
export function readMails(directory: string, to: string): Mail[] {
  const names = existsSync(directory) ? readdirSync(directory).sort() : [];
  return names
    .filter((name) => name.endsWith(".eml"))
    .map((name) => parse(readFileSync(join(directory, name), "latin1")))
    .filter(({ headers }) => headers.includes(`\r\nTo: ${to}\r\n`));
}

function parse(raw: string): Mail {
  const [headers = "", ...rest] = raw.split("\r\n\r\n");
  const boundary = /boundary="(.+)"/.exec(headers)?.[1] ?? "";
  const [, text = "", html = ""] = rest.join("\r\n\r\n").split(`--${boundary}`);
  const subject = /^Subject: (.*)$/m.exec(headers)?.[1]?.trim() ?? "";
  return { headers, subject, text: decode(text), html: decode(html) };
}

/** RFC 2045, 6.7 */
function decode(part: string): string {
  const body = part.slice(part.indexOf("\r\n\r\n") + 4);
  const bytes = body
    .replaceAll("=\r\n", "")
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8").replaceAll("\r\n", "\n");
}
