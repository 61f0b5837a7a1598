/** Keep-alive load: each connection takes the requests in turn until the time or the count is over. */
import { connect } from "node:net";

const { port, requests, connections, seconds, most } = JSON.parse(process.argv[2]);
const HEAD_END = Buffer.from("\r\n\r\n");
const started = performance.now();
const deadline = started + seconds * 1000;
const times = [];
let sent = 0;
let failed = 0;
let closed = 0;
let problem = null;
let ended = started;

/** In a request, `{number}` is another one of as many signs, and `{created}` what was last made. */
function prepare({ method, path, token, body, status }) {
  const payload = body === null ? "" : JSON.stringify(body);
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Accept: application/json",
    ...(token === null ? [] : [`Authorization: Bearer ${token}`]),
    ...(payload === "" ? [] : ["Content-Type: application/json"]),
    ...(payload === "" ? [] : [`Content-Length: ${Buffer.byteLength(payload)}`]),
  ];
  const text = `${head.join("\r\n")}\r\n\r\n${payload}`;
  const isFixed = !/\{(?:number|created)\}/.test(text);
  return { expected: `HTTP/1.1 ${status} `, status, text, bytes: isFixed ? Buffer.from(text) : null };
}

const prepared = requests.map(prepare);

function isOver() {
  return sent >= most || performance.now() >= deadline;
}

function fail(what) {
  failed += 1;
  problem ??= what;
}

/** One request at a time on one connection; a new one when the server closes it. */
class Connection {
  turn = 0;
  at = 0;
  request = prepared[0];
  created = "";
  received = null;

  constructor(resolve) {
    this.resolve = resolve;
    this.connect();
  }

  connect() {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket = socket;
    socket.on("data", (chunk) => this.read(chunk));
    socket.once("connect", () => this.send());
    socket.once("error", (error) => this.fail(error.message));
    socket.once("end", () => this.fail("closed"));
    // A server that falls silent must not hold the run up.
    socket.setTimeout(10_000, () => this.fail("silence"));
  }

  leave() {
    this.socket.removeAllListeners().on("error", () => undefined).destroy();
  }

  fail(what) {
    fail(what);
    this.leave();
    this.resolve();
  }

  send() {
    // A round is finished, so that what was made is removed again.
    if (this.turn > 0 && this.turn % prepared.length === 0 && isOver()) {
      this.leave();
      this.resolve();
      return;
    }
    this.request = prepared[this.turn % prepared.length];
    this.turn += 1;
    sent += 1;
    const bytes = this.request.bytes ?? this.fill(this.request.text);
    this.at = performance.now();
    this.socket.write(bytes);
  }

  fill(text) {
    const number = String(sent).padStart("{number}".length, "0");
    return text.replaceAll("{number}", number).replaceAll("{created}", this.created);
  }

  read(chunk) {
    this.received = this.received === null ? chunk : Buffer.concat([this.received, chunk]);
    const { received, request } = this;
    const end = received.indexOf(HEAD_END);
    if (end < 0) {
      return;
    }
    const head = received.latin1Slice(0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (length === null && request.status !== 204) {
      this.fail(`no length: ${head}`);
      return;
    }
    if (received.length < end + HEAD_END.length + Number(length?.[1] ?? 0)) {
      return;
    }
    ended = performance.now();
    times.push(ended - this.at);
    if (!head.startsWith(request.expected)) {
      fail(`expected ${request.status}: ${received.toString("latin1", 0, 1000)}`);
    }
    this.received = null;
    if (prepared.length > 1) {
      this.follow(head);
    } else {
      this.send();
    }
  }

  /** What an answer's head says about the requests to come. */
  follow(head) {
    this.created = /\r\nlocation: *(\S+)/i.exec(head)?.[1] ?? this.created;
    if (/\r\nconnection: *close/i.test(head)) {
      closed += 1;
      this.leave();
      this.connect();
    } else {
      this.send();
    }
  }
}

const open = () => new Promise((resolve) => new Connection(resolve));
await Promise.all(Array.from({ length: connections }, open));
times.sort((a, b) => a - b);
const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
const used = process.cpuUsage();
process.stdout.write(
  JSON.stringify({
    requests: times.length,
    failed,
    problem,
    closed,
    seconds: (ended - started) / 1000,
    p50: at(0.5),
    p99: at(0.99),
    client: (used.user + used.system) / Math.max(1, times.length),
  }),
);
