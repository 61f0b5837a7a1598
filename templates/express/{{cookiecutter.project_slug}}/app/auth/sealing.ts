/** What is stored sealed: AES-256-GCM under the app's secret keys. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const CIPHER = "aes-256-gcm";
const NONCE = 12;
const TAG = 16;

function keyOf(secret: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", "totp-secret", 32));
}

/** Sealed with the first key; `owner` is bound to it, so that it opens in no other place. */
export function seal(keys: readonly string[], owner: string, bytes: Buffer): string {
  const [newest = ""] = keys;
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(CIPHER, keyOf(newest), nonce, { authTagLength: TAG });
  cipher.setAAD(Buffer.from(owner));
  const sealed = Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  return sealed.toString("base64url");
}

export interface Opened {
  bytes: Buffer;
  /** Sealed with a key that is not the first any more. */
  isOld: boolean;
}

/** What was sealed, or null when none of the keys opens it. */
export function unseal(keys: readonly string[], owner: string, sealed: string): Opened | null {
  for (const [index, key] of keys.entries()) {
    const bytes = open(key, owner, Buffer.from(sealed, "base64url"));
    if (bytes) {
      return { bytes, isOld: index > 0 };
    }
  }
  return null;
}

function open(key: string, owner: string, sealed: Buffer): Buffer | null {
  if (sealed.length < NONCE + TAG) {
    return null;
  }
  const nonce = sealed.subarray(0, NONCE);
  const decipher = createDecipheriv(CIPHER, keyOf(key), nonce, { authTagLength: TAG });
  decipher.setAAD(Buffer.from(owner));
  decipher.setAuthTag(sealed.subarray(-TAG));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()]);
  } catch {
    return null;
  }
}
