/** Who is asking: the client address behind trusted proxies. */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/** The address that the outermost of our proxies saw; the peer's when there are none. */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const peer = plain(request.socket.remoteAddress ?? "");
  if (trustedProxies === 0) {
    return peer;
  }
  const hops = String(request.headers["x-forwarded-for"] ?? "").split(",");
  const hop = plain((hops.at(-trustedProxies) ?? hops[0] ?? "").trim());
  return isIP(hop) ? hop : peer;
}

function plain(address: string): string {
  const bare = address.replace(/^\[(.*)\](?::\d+)?$/, "$1").split("%", 1)[0] ?? "";
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare;
}

/** One client: an IPv4 address, or the /64 an IPv6 address lies in. */
export function network(address: string): string {
  if (isIP(address) !== 6) {
    return address;
  }
  const [head = "", tail] = address.toLowerCase().split("::");
  const left = head.split(":").filter((group) => group !== "");
  const right = (tail ?? "").split(":").filter((group) => group !== "");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill("0"), ...right].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
