/** Mail: queued by a request, sent after it. */
import { hash, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import type { Log } from "../logs.ts";
import type { Store } from "../store.ts";
import { activeSpan, outside, type Traces } from "../traces.ts";
import { type Message, type MessageName, make, type Sender } from "./messages.ts";
import { openTransport, type Send } from "./transports.ts";

const MOST_JOBS = 1000;
const MOST_AN_HOUR = 5;
const HOUR = 3_600_000_000;
const RETRIES = [1000, 5000, 25_000];

export type Post = (to: string, name: MessageName, link?: string) => void;
type Work = () => Promise<void>;

interface About {
  mail?: MessageName;
}

/** What one process has to send. */
export class Mail {
  readonly #log: Log;
  readonly #store: Store;
  readonly #sender: Sender;
  readonly #send: Send;
  readonly #traces: Traces | null;
  readonly #stopping = new AbortController();
  #turn: Promise<void> = Promise.resolve();
  #unfinished = 0;
  #failed = 0;

  constructor(config: Config, log: Log, store: Store, name: string, traces: Traces | null) {
    this.#traces = traces;
    this.#log = log;
    this.#store = store;
    this.#sender = { app: name, address: config.mailFrom };
    this.#send = openTransport(config.mailUrl);
  }

  /** Returns at once; of too many messages of one kind to one address the last are dropped. */
  post(to: string, name: MessageName, link = ""): void {
    if (this.#hasRoom({ mail: name })) {
      this.#add(this.#delivery(to, name, link), { mail: name });
    }
  }

  /** For work that must not show in the time of an answer; what it posts always has room. */
  later(work: (post: Post) => Promise<void>): void {
    const post: Post = (to, name, link = "") =>
      this.#add(this.#delivery(to, name, link), { mail: name });
    if (this.#hasRoom({})) {
      this.#add(() => work(post), {});
    }
  }

  /** Ends the queue: nothing in it waits any more, and one line says how much was left. */
  async stop(milliseconds: number): Promise<void> {
    const deadline = performance.now() + milliseconds;
    this.#stopping.abort();
    while (this.#unfinished > 0 && performance.now() < deadline) {
      await sleep(20);
    }
    const count = this.#unfinished + this.#failed;
    if (count > 0) {
      this.#log.error({ event: "mail.failed", count }, "mail was left unsent");
    }
  }

  /** Counted and made once, however often it is tried. */
  #delivery(to: string, name: MessageName, link: string): Work {
    let message: Message | undefined;
    const cause = activeSpan();
    return async () => {
      if (message === undefined && (await this.#isTooMuch(to, name))) {
        this.#log.info({ event: "mail.limited", mail: name }, "mail.limited");
        return;
      }
      const made = message ?? make(this.#sender, to, name, link);
      message = made;
      const send = () => this.#send(made);
      await (this.#traces ? this.#traces.mail(cause, send) : send());
      this.#log.info({ event: "mail.sent", mail: name }, "mail.sent");
    };
  }

  #hasRoom(about: About): boolean {
    if (this.#unfinished >= MOST_JOBS) {
      this.#log.error({ event: "mail.dropped", ...about }, "mail.dropped");
      return false;
    }
    return true;
  }

  #add(work: Work, about: About): void {
    this.#unfinished += 1;
    outside(() => this.#finish(work, about)).finally(() => {
      this.#unfinished -= 1;
    });
  }

  /** Tries until it is done; while one waits to be tried again, others go on. */
  async #finish(work: Work, about: About): Promise<void> {
    let reason = "";
    // Not at once: the work must not fall into the answer, nor at a time that tells who began it.
    for (const wait of [randomInt(100, 300), ...RETRIES]) {
      const { signal } = this.#stopping;
      await sleep(wait, undefined, { signal }).catch(() => undefined);
      try {
        await this.#inTurn(work);
        return;
      } catch (error) {
        reason = kindOf(error);
      }
      if (signal.aborted) {
        this.#failed += 1;
        return;
      }
    }
    this.#log.error({ event: "mail.failed", ...about, reason }, "mail could not be sent");
  }

  #inTurn(work: Work): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #isTooMuch(to: string, name: MessageName): Promise<boolean> {
    const address = hash("sha256", to.toLowerCase());
    return (await this.#store.attempt(`mail:${name}:${address}`, HOUR, MOST_AN_HOUR)) > 0;
  }
}

/** What kind of error it was; its message could name the address. */
function kindOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : ((error as Error)?.constructor?.name ?? typeof error);
}
