/** How the process lives: workers, signals and timeouts. */
import cluster, { type Worker } from "node:cluster";
import { existsSync, mkdirSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import type { AggregatorRegistry, RegistryContentType } from "prom-client";
import type { Log } from "./app/logs.ts";
import type { Settings } from "./app/worker.ts";

const EX_SIGNAL = 128;
const SIGNALS = { SIGINT: 2, SIGTERM: 15 };

keepCompiled(fileURLToPath(new URL(".cache", import.meta.url)));
if (cluster.isPrimary) {
  supervise();
} else {
  const { work } = await import("./app/worker.ts");
  await work();
}

/** Half of a start is compiling: what Node makes of the sources is kept where that is allowed. */
function keepCompiled(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    enableCompileCache(directory);
  } catch {
    // Then each start compiles.
  }
}

/** Starts the workers, replaces those that die, and ends them all when told to. */
function supervise(): void {
  let settings: Settings | undefined;
  let log: Log | undefined;
  let isStopping = false;

  if (existsSync(".env")) {
    process.loadEnvFile(".env");
  }
  // The first worker finds out whether everything is right; the app is not loaded here.
  cluster.fork();
  cluster.on("message", (worker, message) => {
    if (message?.type === "settings") {
      settings ??= message.settings as Settings;
      // Workers must agree on a secret that was made up for this start.
      process.env.SECRET_KEYS = settings.secretKeys.join(",");
    } else if (message?.type === "metrics") {
      answerMetrics(worker, message.id);
    }
  });
  cluster.once("listening", async (_, { port }) => {
    for (let count = 1; count < (settings?.workers ?? 1) && !isStopping; count += 1) {
      cluster.fork();
    }
    const { createLog } = await import("./app/logs.ts");
    log = settings && createLog(settings);
    log?.info({ host: settings?.host, port, workers: settings?.workers }, "listening");
  });
  cluster.on("exit", (worker, code, signal) => {
    if (isStopping) {
      exitWhenAlone();
    } else if (!log) {
      process.exit(code || 1);
    } else {
      log.error({ pid: worker.process.pid, code, signal }, "a worker died and is replaced");
      setTimeout(() => !isStopping && cluster.fork(), 100);
    }
  });
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (isStopping) {
        killAll();
        process.exit(EX_SIGNAL + number);
      }
      isStopping = true;
      log?.info({ signal: name }, "stopping");
      stopAll(settings?.shutdownSeconds ?? 0);
    });
  }
}

function workers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
}

function killAll(): void {
  for (const worker of workers()) {
    worker.process.kill("SIGKILL");
  }
}

function stopAll(seconds: number): void {
  for (const worker of workers()) {
    worker.process.kill("SIGTERM");
  }
  setTimeout(killAll, seconds * 1000 + 2000);
  exitWhenAlone();
}

function exitWhenAlone(): void {
  if (workers().length === 0) {
    process.exit(0);
  }
}

let metrics: Promise<AggregatorRegistry<RegistryContentType>> | undefined;

async function answerMetrics(worker: Worker, id: number): Promise<void> {
  metrics ??= import("prom-client").then((library) => new library.AggregatorRegistry());
  const text = await metrics.then((registry) => registry.clusterMetrics()).catch(() => null);
  if (worker.isConnected()) {
    worker.send({ type: "metrics", id, text });
  }
}
