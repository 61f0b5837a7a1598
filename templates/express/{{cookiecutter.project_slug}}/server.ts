/** How the process lives: workers, signals and timeouts. */
import cluster, { type Worker } from "node:cluster";
import { existsSync } from "node:fs";
import { AggregatorRegistry, type RegistryContentType } from "prom-client";
import { type Config, ConfigError, readConfig } from "./app/config.ts";
import { DatabaseAway, Db } from "./app/db.ts";
import { createLog, type Log } from "./app/logs.ts";
import { work } from "./app/worker.ts";

const EX_CONFIG = 78;
const EX_SIGNAL = 128;
const SIGNALS = { SIGINT: 2, SIGTERM: 15 };

async function main(): Promise<void> {
  try {
    const config = readConfig(process.env);
    if (cluster.isWorker) {
      await work(config);
      return;
    }
    // Workers must agree on a secret that was made up for this start.
    process.env.SECRET_KEYS = config.secretKeys.join(",");
    const db = await new Db(config).connect();
    await db.close();
    supervise(config, createLog(config));
  } catch (error) {
    if (error instanceof ConfigError || error instanceof DatabaseAway) {
      process.stderr.write(`${error.message}\n`);
      process.exit(error instanceof ConfigError ? EX_CONFIG : 1);
    }
    throw error;
  }
}

/** Starts the workers, replaces those that die, and ends them all when told to. */
function supervise(config: Config, log: Log): void {
  const metrics = new AggregatorRegistry();
  let isListening = false;
  let isStopping = false;

  cluster.on("listening", (_, { port }) => {
    if (!isListening) {
      log.info({ host: config.host, port, workers: config.workers }, "listening");
    }
    isListening = true;
  });
  cluster.on("message", (worker, message) => {
    if (message?.type === "metrics") {
      answerMetrics(metrics, worker, message.id);
    }
  });
  cluster.on("exit", (worker, code, signal) => {
    if (isStopping) {
      exitWhenAlone();
    } else if (!isListening) {
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
      log.info({ signal: name }, "stopping");
      stopAll(config);
    });
  }
  for (let count = 0; count < config.workers; count += 1) {
    cluster.fork();
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

function stopAll(config: Config): void {
  for (const worker of workers()) {
    worker.process.kill("SIGTERM");
  }
  setTimeout(killAll, config.shutdownSeconds * 1000 + 2000);
  exitWhenAlone();
}

function exitWhenAlone(): void {
  if (workers().length === 0) {
    process.exit(0);
  }
}

async function answerMetrics(
  metrics: AggregatorRegistry<RegistryContentType>,
  worker: Worker,
  id: number,
): Promise<void> {
  const text = await metrics.clusterMetrics().catch(() => null);
  if (worker.isConnected()) {
    worker.send({ type: "metrics", id, text });
  }
}

if (existsSync(".env")) {
  process.loadEnvFile(".env");
}
await main();
