/** What a database address may say besides the place: how the way there is encrypted. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { checkServerIdentity, getCACertificates, type PeerCertificate } from "node:tls";

const MODES = ["disable", "require", "verify-full"];

/** Seconds a connection, a free place in the pool and a statement may take. */
export const CONNECT_SECONDS = 2;
export const POOL_SECONDS = 5;
export const STATEMENT_SECONDS = 10;

/** Says what is wrong without showing the address. */
export class AddressError extends Error {}

interface Encryption {
  mode: string;
  /** The certificates a server is checked against; null: those the system trusts. */
  root: string | null;
}

/** What the drivers want to know; false: nothing is encrypted. */
export type Tls =
  | false
  | {
      rejectUnauthorized: boolean;
      ca?: string | string[];
      checkServerIdentity?: (name: string, certificate: PeerCertificate) => Error | undefined;
    };

/** Reads `?sslmode=…&sslrootcert=…`; anything else is refused. */
function encryption(url: URL): Encryption {
  const given = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (name !== "sslmode" && name !== "sslrootcert") {
      throw new AddressError(`${name} is no parameter here; there are sslmode and sslrootcert`);
    }
    if (given.has(name)) {
      const allowed = name === "sslmode" ? ": disable, require or verify-full" : "";
      throw new AddressError(`${name} may stand only once${allowed}`);
    }
    given.set(name, value);
  }
  const mode = given.get("sslmode") ?? "disable";
  const file = given.get("sslrootcert");
  if (!MODES.includes(mode)) {
    throw new AddressError("sslmode may be disable, require or verify-full");
  }
  if (file !== undefined && mode !== "verify-full") {
    throw new AddressError("sslrootcert needs sslmode=verify-full");
  }
  return { mode, root: file === undefined ? null : readCertificates(file) };
}

function readCertificates(file: string): string {
  try {
    const text = readFileSync(file, "utf8");
    new X509Certificate(text);
    return text;
  } catch {
    throw new AddressError("sslrootcert must name a readable file of certificates");
  }
}

export function checkParameters(url: URL): void {
  encryption(url);
}

export function refuseParameters(url: URL): void {
  if (url.href.includes("?")) {
    const [name] = url.searchParams.keys();
    throw new AddressError(`${name ?? ""} is no parameter here; there are none`);
  }
}

export function tlsOf(url: URL): Tls {
  const { mode, root } = encryption(url);
  if (mode === "disable") {
    return false;
  }
  if (mode === "require") {
    return { rejectUnauthorized: false };
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    rejectUnauthorized: true,
    ca: root ?? getCACertificates("system"),
    // Drivers do not tell Node the host when it is a number.
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  };
}

/** The address as drivers get it: parameters are not theirs to read. */
export function bare(url: URL): string {
  const copy = new URL(url);
  copy.search = "";
  return copy.href;
}
