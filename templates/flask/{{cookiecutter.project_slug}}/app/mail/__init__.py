"""Mail: queued by a request, sent after it."""

import hashlib
import heapq
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from typing import Any, cast

from flask import Flask, current_app

from app import config, db, limits, store, traces
from app.config import Config
from app.mail import messages, transports

log = logging.getLogger(__name__)

MOST_JOBS = 1000
MOST_MESSAGES = 5
WINDOW = 60 * 60 * store.MILLION
# Seconds until a job that failed is tried again.
WAITS = (1, 5, 25)
# Seconds until a job begins: its work must not fall into the answer that queued it.
PAUSE = (0.1, 0.3)
_random = random.SystemRandom()


@dataclass(order=True)
class Job:
    due: float
    number: int
    run: Callable[[], None] = field(compare=False)
    name: str = field(compare=False)
    tries: int = field(default=0, compare=False)


class Mailer:
    """The queue of one process and the thread that works it off."""

    def __init__(self, app: Flask, settings: Config) -> None:
        self.app = app
        self.transport = transports.open_transport(settings.mail_url)
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._numbers = itertools.count()
        self._last_due = 0.0
        self._is_stopping = False
        # Given up while stopping, or being tried right now.
        self._unsent = 0

    def put(self, run: Callable[[], None], name: str = "") -> None:
        """Queue a job; the first one starts the thread, so each process has its own."""
        is_ours = threading.current_thread() is self._thread
        due = time.monotonic()
        with self._changed:
            if len(self._jobs) >= MOST_JOBS and not is_ours:
                _say(logging.ERROR, "mail.dropped", name)
                return
            if not is_ours:
                # Never before what was queued earlier.
                due = self._last_due = max(due + _random.uniform(*PAUSE), self._last_due)
            self._push(Job(due, next(self._numbers), run, name))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mail", daemon=True)
                self._thread.start()

    def stop(self, seconds: float) -> None:
        """Try each job once more within so many seconds, then say what was left unsent."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread:
            self._thread.join(seconds)
        with self._changed:
            left = self._unsent + len(self._jobs)
        if left:
            _say(logging.ERROR, "mail.failed", "", "mail was left unsent", count=left)

    def _push(self, job: Job) -> None:
        heapq.heappush(self._jobs, job)
        self._changed.notify()

    def _work(self) -> None:
        while job := self._next():
            try:
                with self.app.app_context():
                    job.run()
            except Exception as error:
                self._retry(job, error)
            else:
                self._unsent -= 1

    def _next(self) -> Job | None:
        """Wait for the job that is due next; None when there will be no more."""
        with self._changed:
            while not self._is_stopping:
                wait = self._jobs[0].due - time.monotonic() if self._jobs else None
                if wait is not None and wait <= 0:
                    break
                self._changed.wait(wait)
            if not self._jobs:
                return None
            self._unsent += 1
            return heapq.heappop(self._jobs)

    def _retry(self, job: Job, error: Exception) -> None:
        """Try again later; the others need not wait for it."""
        with self._changed:
            if self._is_stopping:
                return
            self._unsent -= 1
            if job.tries < len(WAITS):
                job.due = time.monotonic() + WAITS[job.tries]
                job.tries += 1
                self._push(job)
                return
        reason = db.reason(error)
        _say(logging.ERROR, "mail.failed", job.name, "mail could not be sent", reason=reason)


def init_app(app: Flask) -> None:
    app.extensions["mail"] = Mailer(app, app.extensions["config"])


def later(run: Callable[[], None]) -> None:
    """Do something after the answer, so that its time does not show what was done."""
    _mailer().put(run)


def post(to: str, name: str, link: str = "") -> None:
    """Send the message `name` after the answer."""
    _mailer().put(partial(_deliver, to, name, link), name)


def _deliver(to: str, name: str, link: str) -> None:
    key = f"mail:{name}:{hashlib.sha256(to.lower().encode()).hexdigest()}"
    if limits.counts().attempt(key, WINDOW, MOST_MESSAGES):
        _say(logging.INFO, "mail.limited", name)
        return
    message = messages.make(config.current().mail_from, to, name, link)
    _mailer().put(partial(_send, message, name), name)


def _send(message: EmailMessage, name: str) -> None:
    with traces.message(current_app.extensions.get("tracer")):
        _mailer().transport.send(message)
    _say(logging.INFO, "mail.sent", name)


def _say(level: int, event: str, name: str, words: str = "", **more: Any) -> None:
    about = {"mail": name} if name else {}
    log.log(level, words or event, extra={"fields": {"event": event, **about, **more}})


def _mailer() -> Mailer:
    return cast("Mailer", current_app.extensions["mail"])
