/** How the process lives: workers, signals and timeouts. */
import cluster, { type Worker } from "node:cluster";
import { existsSync, mkdirSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import { setImmediate as immediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { AggregatorRegistry, RegistryContentType } from "prom-client";
import type { Log } from "./app/logs.ts";
import type { Settings } from "./app/worker.ts";

const EX_SIGNAL = 128;
const SIGNALS = { SIGINT: 2, SIGTERM: 15 };
// How many may wait to be let in.
const BACKLOG = 1024;
// Nothing of a connection is read here.
const CONNECTIONS = { pauseOnConnect: true, noDelay: true };

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

/** Starts the workers, gives each its connections, replaces those that die, and ends them all. */
function supervise(): void {
  let settings: Settings | undefined;
  let log: Log | undefined;
  let isStopping = false;
  // Those that serve, who waits longest first; and of them those whose last connection is under way.
  let serving: Worker[] = [];
  const busy = new Set<Worker>();
  let taken = 0;
  // Not the cluster's own way: that drops who has come but was given to nobody when it ends.
  const listener = createServer(CONNECTIONS, (socket) => {
    taken += 1;
    const worker = serving.find((each) => !busy.has(each)) ?? serving[0];
    if (!worker) {
      socket.destroy();
      return;
    }
    serving = [...serving.filter((other) => other !== worker), worker];
    busy.add(worker);
    worker.send({ type: "connection" }, socket, (error) => {
      busy.delete(worker);
      if (error) {
        socket.destroy();
      }
    });
  });

  if (existsSync(".env")) {
    process.loadEnvFile(".env");
  }
  // The first worker finds out whether everything is right; the app is not loaded here.
  cluster.fork();
  // Read while that one starts, not when somebody already waits.
  const logs = import("./app/logs.ts");
  cluster.on("message", (worker, message) => {
    if (message?.type === "settings") {
      settings ??= message.settings as Settings;
      // Workers must agree on a secret that was made up for this start.
      process.env.SECRET_KEYS = settings.secretKeys.join(",");
    } else if (message?.type === "ready" && isStopping) {
      stop(worker);
    } else if (message?.type === "ready" && settings) {
      serving.push(worker);
      if (!listener.listening) {
        listener.listen(settings.port, settings.host, BACKLOG);
      }
    } else if (message?.type === "metrics") {
      answerMetrics(worker, message.id);
    }
  });
  listener.on("error", (error) => {
    const place = `${settings?.host}:${settings?.port}`;
    process.stderr.write(`Cannot listen on ${place}: ${error.message}\n`);
    killAll();
    process.exit(1);
  });
  listener.once("listening", async () => {
    for (let count = 1; count < (settings?.workers ?? 1) && !isStopping; count += 1) {
      cluster.fork();
    }
    log = settings && (await logs).createLog(settings);
    const { port } = listener.address() as AddressInfo;
    log?.info({ host: settings?.host, port, workers: settings?.workers }, "listening");
  });
  cluster.on("exit", (worker, code, signal) => {
    serving = serving.filter((other) => other !== worker);
    if (isStopping) {
      exitWhenAlone();
    } else if (!log) {
      process.exit(code || 1);
    } else {
      if (serving.length === 0) {
        // Who comes now is refused at once, and may ask another instance.
        listener.close();
      }
      log.error({ pid: worker.process.pid, code, signal }, "a worker died and is replaced");
      setTimeout(() => !isStopping && cluster.fork(), 100);
    }
  });
  /** One is let in a turn; whoever has come until now shall not be cut off with the port. */
  const everyoneIsIn = async () => {
    await immediate();
    for (let turn = 0, before = -1; turn < BACKLOG && before !== taken; turn += 1) {
      before = taken;
      await immediate();
    }
  };
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.on(name, async () => {
      if (isStopping) {
        killAll();
        process.exit(EX_SIGNAL + number);
      }
      isStopping = true;
      log?.info({ signal: name }, "stopping");
      await everyoneIsIn();
      listener.close();
      for (const worker of workers()) {
        if (serving.includes(worker)) {
          stop(worker);
        } else {
          worker.process.kill();
        }
      }
      setTimeout(killAll, (settings?.shutdownSeconds ?? 0) * 1000 + 2000);
      exitWhenAlone();
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

/** Tells a worker to end, after all connections that it was given. */
function stop(worker: Worker): void {
  worker.send({ type: "stop" }, () => undefined);
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
