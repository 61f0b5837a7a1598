/** Counts shared by all processes: in Valkey, else in memory. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Log } from "./logs.ts";

const load = createRequire(import.meta.url);

const TIMEOUT = 500;
const MOST_KEYS = 10_000;
const LIMIT = readFileSync(new URL("data/limit.lua", import.meta.url), "utf8");
const GUESS = readFileSync(new URL("data/guess.lua", import.meta.url), "utf8");

/** Times in microseconds. */
export interface Allowance {
  allowed: boolean;
  left: number;
  reset: number;
  wait: number;
}

export interface Store {
  limit(key: string, cost: number, quota: number): Promise<Allowance>;
  /** Counts an attempt and answers 0, or answers the time to wait and counts nothing. */
  attempt(key: string, window: number, most: number): Promise<number>;
  forget(key: string): Promise<void>;
}

/** Microseconds of a clock that nobody sets. */
function steady(): number {
  return Math.floor(performance.now() * 1000);
}

/** The same two rules as the scripts, for this process alone. */
export class MemoryStore implements Store {
  readonly #full = new Map<string, number>();
  readonly #attempts = new Map<string, number[]>();

  async limit(key: string, cost: number, quota: number): Promise<Allowance> {
    const time = steady();
    const full = Math.max(this.#full.get(key) ?? time, time);
    const wait = full + cost - cost * quota - time;
    if (wait > 0) {
      return { allowed: false, left: 0, reset: full - time, wait };
    }
    remember(this.#full, key, full + cost);
    return { allowed: true, left: Math.floor(-wait / cost), reset: full + cost - time, wait: 0 };
  }

  async attempt(key: string, window: number, most: number): Promise<number> {
    const time = steady();
    const recent = (this.#attempts.get(key) ?? []).filter((at) => at > time - window);
    const [oldest] = recent;
    if (oldest !== undefined && recent.length >= most) {
      return Math.max(1, oldest + window - time);
    }
    remember(this.#attempts, key, [...recent, time]);
    return 0;
  }

  async forget(key: string): Promise<void> {
    this.#attempts.delete(key);
  }
}

/** Keeps the newest keys, so that memory stays bounded whoever asks. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MOST_KEYS) {
    for (const oldest of map.keys()) {
      map.delete(oldest);
      break;
    }
  }
}

/** Valkey, and this process's memory while it is away. */
export class SharedStore implements Store {
  readonly #memory = new MemoryStore();
  readonly #log: Log;
  readonly #client;
  #warned = Number.NEGATIVE_INFINITY;
  readonly #connected: Promise<unknown>;
  #retryAt = 0;

  constructor(url: string, log: Log) {
    // Late: who has no Valkey needs no client for it.
    const { createClient } = load("@redis/client") as typeof import("@redis/client");
    this.#log = log;
    this.#client = createClient({
      url,
      disableOfflineQueue: true,
      socket: { connectTimeout: TIMEOUT, reconnectStrategy: () => 1000 },
    });
    this.#client.on("error", () => this.#warn());
    this.#connected = this.#client.connect().catch(() => this.#warn());
  }

  /** Settles once Valkey answers, or when it has had its time: an app starts without it too. */
  async connected(): Promise<void> {
    await bounded(this.#connected, TIMEOUT).catch(() => undefined);
  }

  limit(key: string, cost: number, quota: number): Promise<Allowance> {
    const shared = async () => {
      const reply = await this.#run(LIMIT, key, [cost, quota]);
      const [allowed, left, reset, wait] = (reply as number[]).map(Number);
      return { allowed: allowed === 1, left: left ?? 0, reset: reset ?? 0, wait: wait ?? 0 };
    };
    return this.#either(shared, () => this.#memory.limit(key, cost, quota));
  }

  attempt(key: string, window: number, most: number): Promise<number> {
    const shared = async () => Number(await this.#run(GUESS, key, [window, most, randomUUID()]));
    return this.#either(shared, () => this.#memory.attempt(key, window, most));
  }

  async forget(key: string): Promise<void> {
    await this.#memory.forget(key);
    await this.#either<unknown>(
      () => bounded(this.#client.del(key), TIMEOUT),
      async () => undefined,
    );
  }

  async ping(milliseconds: number): Promise<void> {
    await bounded(this.#client.ping(), milliseconds);
  }

  close(): void {
    this.#client.destroy();
  }

  #run(script: string, key: string, values: (number | string)[]): Promise<unknown> {
    const call = this.#client.eval(script, { keys: [key], arguments: values.map(String) });
    return bounded(call, TIMEOUT);
  }

  async #either<T>(shared: () => Promise<T>, alone: () => Promise<T>): Promise<T> {
    // After a failure the next second's requests do not wait for the same one.
    if (!this.#client.isReady || performance.now() < this.#retryAt) {
      this.#warn();
      return alone();
    }
    try {
      return await shared();
    } catch {
      this.#retryAt = performance.now() + 1000;
      this.#warn();
      return alone();
    }
  }

  #warn(): void {
    if (performance.now() - this.#warned > 60_000) {
      this.#warned = performance.now();
      this.#log.warn("Valkey is away: each process limits by its own memory");
    }
  }
}

/** The result, or an error when it takes longer than so many milliseconds. */
export async function bounded<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("no answer in time")), milliseconds);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
