/** Where messages go: the terminal, a directory, or an SMTP server. */
import { randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type MailServer, parseMailServer } from "../config.ts";
import type { Message } from "./messages.ts";

const TIMEOUT = 10_000;

export type Send = (message: Message) => Promise<void>;

export function openTransport(url: string): Send {
  const server = parseMailServer(url);
  if (server) {
    return toServer(server);
  }
  return url.startsWith("file:") ? intoDirectory(url.slice("file:".length)) : toTerminal;
}

async function toTerminal({ to, subject, text }: Message): Promise<void> {
  process.stderr.write(`--- mail to ${to}\nSubject: ${subject}\n\n${text}---\n`);
}

/** Under another name while it is written, so that who looks finds whole messages only. */
function intoDirectory(directory: string): Send {
  return async (message) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = join(directory, `${message.date.getTime()}-${randomUUID()}.eml`);
    const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
    const bytes = await new MailComposer(composed(message)).compile().build();
    await writeFile(`${file}.tmp`, bytes, { mode: 0o600, flag: "wx" });
    await rename(`${file}.tmp`, file);
  };
}

function toServer({ host, port, isTls, auth }: MailServer): Send {
  const options = {
    host,
    port,
    secure: isTls,
    // Without a password there is nothing to protect from a server that has no TLS.
    requireTLS: auth !== null,
    ...(auth ? { auth } : {}),
    dnsTimeout: TIMEOUT,
    connectionTimeout: TIMEOUT,
    greetingTimeout: TIMEOUT,
    socketTimeout: TIMEOUT,
  };
  return async (message) => {
    // Late: a process that sends nothing starts without it.
    const { createTransport } = await import("nodemailer");
    const transport = createTransport(options);
    const envelope = { from: message.from, to: message.to };
    await transport.sendMail({ ...composed(message), envelope });
  };
}

/** As the library wants it: an address that stays one whatever signs are in it. */
function composed({ to, id, ...message }: Message) {
  return {
    ...message,
    to: { name: "", address: to },
    messageId: id,
    headers: { "Auto-Submitted": "auto-generated" },
    textEncoding: "quoted-printable" as const,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
