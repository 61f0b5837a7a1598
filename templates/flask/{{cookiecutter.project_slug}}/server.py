"""How the process lives: workers, signals and timeouts."""

import gc
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dotenv import load_dotenv

if __name__ == "__main__":
    # Nothing of what is imported is garbage: not to look for it saves a tenth of the start.
    gc.disable()
    # The metrics of all workers meet in a directory that is known before they are imported.
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-")

from prometheus_client import multiprocess

from app import db, logs
from app.config import Config, ConfigError, load
from app.worker import BACKLOG, Worker, prepare

HERE = Path(__file__).parent
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Supervisor:
    """Keeps the workers running until it is told to stop."""

    def __init__(self, config: Config, listener: socket.socket) -> None:
        self.config = config
        self.listener = listener
        self.workers: dict[int, float] = {}
        self.deadline = 0.0
        self.woken, self.waker = socket.socketpair()
        self.waker.settimeout(0)

    def run(self) -> int:
        for heard in SIGNALS:
            signal.signal(heard, lambda *_: None)
        signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)
        for _ in range(self.config.web_concurrency):
            self._start()
        while self.workers:
            for number in self._signals():
                if number in {signal.SIGTERM, signal.SIGINT}:
                    if self.deadline:
                        self._tell(signal.SIGKILL)
                        return 1
                    self.deadline = time.monotonic() + self.config.shutdown_seconds + 1
                    self.listener.close()
                    self._tell(signal.SIGTERM)
            self._reap()
            if self.deadline and time.monotonic() > self.deadline:
                self._tell(signal.SIGKILL)
        return 0

    def _signals(self) -> bytes:
        ready, _, _ = select.select([self.woken], [], [], 0.5)
        return self.woken.recv(64) if ready else b""

    def _tell(self, number: signal.Signals) -> None:
        for pid in self.workers:
            os.kill(pid, number)

    def _start(self) -> None:
        # A signal must meet either our handlers or the worker's, never none.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self.workers[pid] = time.monotonic()
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            prepare()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            Worker(self.config, self.listener).run()
            status = 0
        except Exception:
            logs.access.exception("worker failed")
        finally:
            # Not sys.exit: what the supervisor cleans up is not the worker's.
            os._exit(status)

    def _reap(self) -> None:
        for pid, started in list(self.workers.items()):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
            del self.workers[pid]
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
            if not self.deadline:
                logs.access.warning("worker died", extra={"fields": {"pid": pid}})
                # One that cannot even start must not be tried in a busy loop.
                time.sleep(1 if time.monotonic() - started < 1 else 0)
                self._start()


def main() -> int:
    load_dotenv(HERE / ".env")
    if "--reload" in sys.argv[1:]:
        return reload()
    try:
        config = load(os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 78
    logs.configure(config)
    try:
        return serve(config)
    finally:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def serve(config: Config) -> int:
    """Open the port once the database has answered, then supervise."""
    engine = None
    try:
        engine = db.connect(config.database_url)
        engine.connect().close()
    except Exception:
        place = db.place(config.database_url)
        print(f"The database does not answer at {place}; check DATABASE_URL.", file=sys.stderr)
        return 1
    finally:
        if engine:
            engine.dispose()
    try:
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        listener = socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)
    except OSError as error:
        place = f"{config.host}:{config.port}"
        print(f"Cannot listen on {place}: {error.strerror}; check HOST and PORT.", file=sys.stderr)
        return 1
    host, port = listener.getsockname()[:2]
    fields = {"host": host, "port": port, "workers": config.web_concurrency}
    logs.access.info("listening", extra={"fields": fields})
    # What is there by now stays, and the workers share it.
    gc.freeze()
    gc.enable()
    return Supervisor(config, listener).run()


def reload() -> int:
    """Run the server as a child and start it anew whenever a file changes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    environ = {"WEB_CONCURRENCY": "1", **os.environ}
    environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    while True:
        seen = _changes()
        child = subprocess.Popen([sys.executable, __file__], env=environ)
        try:
            while seen == _changes():
                time.sleep(0.5)
        finally:
            child.terminate()
            child.wait()


def _changes() -> dict[Path, float]:
    files = [HERE / "server.py", HERE / ".env", *(HERE / "app").rglob("*")]
    return {path: path.stat().st_mtime for path in files if path.is_file()}


if __name__ == "__main__":
    sys.exit(main())
