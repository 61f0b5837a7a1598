/** Keep-alive load on one route: as many connections as told, until the time or the count is over. */
import { connect } from "node:net";

const { port, method, path, token, body, status, connections, seconds, most } = JSON.parse(
  process.argv[2],
);
const HEAD_END = Buffer.from("\r\n\r\n");
const payload = body === null ? "" : JSON.stringify(body);
const head = [
  `${method} ${path} HTTP/1.1`,
  `Host: 127.0.0.1:${port}`,
  "Accept: application/json",
  ...(token === null ? [] : [`Authorization: Bearer ${token}`]),
  ...(payload === "" ? [] : ["Content-Type: application/json"]),
  ...(payload === "" ? [] : [`Content-Length: ${Buffer.byteLength(payload)}`]),
];
const request = Buffer.from(`${head.join("\r\n")}\r\n\r\n${payload}`);
const expected = `HTTP/1.1 ${status} `;
const started = performance.now();
const deadline = started + seconds * 1000;
const times = [];
let sent = 0;
let failed = 0;
let ended = started;

function isOver() {
  return sent >= most || performance.now() >= deadline;
}

/** One request at a time on one connection. */
function open(resolve) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let at = 0;
  let received = null;
  const finish = () => {
    socket.destroy();
    resolve();
  };
  const send = () => {
    if (isOver()) {
      finish();
      return;
    }
    sent += 1;
    at = performance.now();
    socket.write(request);
  };
  socket.on("data", (chunk) => {
    received = received === null ? chunk : Buffer.concat([received, chunk]);
    const end = received.indexOf(HEAD_END);
    if (end < 0) {
      return;
    }
    const text = received.latin1Slice(0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(text);
    if (length === null) {
      failed += 1;
      finish();
      return;
    }
    if (received.length < end + HEAD_END.length + Number(length[1])) {
      return;
    }
    received = null;
    ended = performance.now();
    times.push(ended - at);
    failed += text.startsWith(expected) ? 0 : 1;
    send();
  });
  socket.once("connect", send);
  socket.once("error", () => {
    failed += 1;
    finish();
  });
  socket.once("end", () => {
    failed += 1;
    finish();
  });
  // A server that falls silent must not hold the run up.
  socket.setTimeout(10_000, () => {
    failed += 1;
    finish();
  });
}

await Promise.all(Array.from({ length: connections }, () => new Promise(open)));
times.sort((a, b) => a - b);
const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
const used = process.cpuUsage();
process.stdout.write(
  JSON.stringify({
    requests: times.length,
    failed,
    seconds: (ended - started) / 1000,
    p50: at(0.5),
    p99: at(0.99),
    client: (used.user + used.system) / Math.max(1, times.length),
  }),
);
