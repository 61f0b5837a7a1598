/** What messages say, as text and as HTML. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

export type MessageName =
  | "verify-email"
  | "known-address"
  | "reset-password"
  | "password-changed"
  | "totp-on"
  | "totp-off";

export interface Sender {
  app: string;
  address: string;
}

export interface Message {
  from: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  id: string;
  date: Date;
}

const FRAME = read("mail.html");
const LINK = "$link";

function read(name: string): string {
  return readFileSync(new URL(`../data/${name}`, import.meta.url), "utf8");
}

/** The message, with nothing in it that a user typed but the address it goes to. */
export function make(sender: Sender, to: string, name: MessageName, link: string): Message {
  const source = read(`mails/${name}.txt`).replaceAll("$app", () => sender.app);
  const [subject = "", ...paragraphs] = source.trim().split(/\n{2,}/);
  const body = paragraphs.map((paragraph) => asHtml(paragraph, link)).join("\n");
  const frame = FRAME.replaceAll("$title", () => escaped(subject));
  return {
    from: sender.address,
    to,
    subject,
    text: `${paragraphs.join("\n\n").replaceAll(LINK, () => link)}\n`,
    html: frame.replace("$body", () => body),
    id: `<${randomUUID()}@${sender.address.split("@").at(-1)}>`,
    date: new Date(),
  };
}

function asHtml(paragraph: string, link: string): string {
  const address = escaped(link);
  return paragraph === LINK
    ? `<p><a href="${address}">${address}</a></p>`
    : `<p>${escaped(paragraph)}</p>`;
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#x27;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}
