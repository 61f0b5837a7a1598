"""What each WSGI server survives: slow clients, a signal, a worker's death."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.processes import memory, tree
from benchmarks.slow import HEADERS, Flight, Served, Slow, body, greedy, served
from benchmarks.subjects import Running, Subject
from scaffold.server import NotReady

SECONDS = 2.0
# Whoever is still connected after that is never cut, as far as others are concerned.
PATIENCE = 65.0


def table(subjects: Sequence[Subject]) -> str:
    """One row a fault, one column a server."""
    lines = [f"| fault | {' | '.join(each.kind for each in subjects)} |"]
    lines.append("|---" * (len(subjects) + 1) + "|")
    for name, fault in FAULTS.items():
        cells = [_on_a_fresh_server(subject, fault) for subject in subjects]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    # Waiting costs no one anything: all servers at once.
    with ThreadPoolExecutor(len(subjects)) as pool:
        cells = list(pool.map(lambda subject: _on_a_fresh_server(subject, _cut), subjects))
    lines.append(f"| cut after: headers / body / idle / not reading | {' | '.join(cells)} |")
    return "\n".join(lines)


Fault = Callable[[Running, Subject], str]


def _on_a_fresh_server(subject: Subject, fault: Fault) -> str:
    with subject.running() as running:
        return fault(running, subject)


def _headers(running: Running, _subject: Subject) -> str:
    with Slow(running.port, 200, HEADERS, trickles=True):
        return str(served(running.port, SECONDS))


def _bodies(running: Running, subject: Subject) -> str:
    with Slow(running.port, 200, body(subject.tokens["writer"]), trickles=True):
        return str(served(running.port, SECONDS))


def _idle(running: Running, _subject: Subject) -> str:
    with Slow(running.port, 1000) as slow:
        found = str(served(running.port, SECONDS))
        return f"{found}; {slow.refused} refused" if slow.refused else found


def _unread(running: Running, subject: Subject) -> str:
    before = sum(memory(running.process.pid))
    with Slow(running.port, 20, greedy(subject.tokens["hoarder"]), reads=False):
        # They are all being answered when the others come.
        time.sleep(1)
        found: Served = served(running.port, SECONDS)
        grown = sum(memory(running.process.pid)) - before
    return f"{found}; + {max(0.0, grown):.0f} MB"


def _stop(running: Running, subject: Subject) -> str:
    with Flight(running.port, subject.tokens["reader"]) as flight:
        time.sleep(1)
        began = time.monotonic()
        running.process.signal(signal.SIGTERM)
        try:
            status: int | str = running.process.wait(20)
        except NotReady:
            status = "still there"
        took = time.monotonic() - began
    return f"{len(flight.lost)} of {len(flight.answered)} lost; status {status} after {took:.1f} s"


def _kill(running: Running, subject: Subject) -> str:
    workers = tree(running.process.pid)
    with Flight(running.port, subject.tokens["reader"]) as flight:
        time.sleep(1)
        os.kill(workers[-1], signal.SIGKILL)
        began = time.monotonic()
        while not _replaced(running, workers) and time.monotonic() < began + 5:
            time.sleep(0.02)
        took = time.monotonic() - began
        time.sleep(1)
    after = sum(moment > began + took for moment in flight.answered)
    replaced = f"replaced after {took:.1f} s" if took < 5 else "not replaced"
    return f"{len(flight.lost)} lost; {replaced}, {after} answered after"


def _replaced(running: Running, workers: list[int]) -> bool:
    now = tree(running.process.pid)
    return workers[-1] not in now and len(now) == len(workers)


def _cut(running: Running, subject: Subject) -> str:
    tokens = subject.tokens
    with (
        Slow(running.port, 5, HEADERS, trickles=True) as headers,
        Slow(running.port, 3, body(tokens["writer"]), trickles=True) as bodies,
        Slow(running.port, 5) as idle,
        Slow(running.port, 3, greedy(tokens["hoarder"]), reads=False) as unread,
    ):
        every = (headers, bodies, idle, unread)
        for slow in every:
            slow.wait(PATIENCE)
        return " / ".join(_when(slow) for slow in every)


def _when(slow: Slow) -> str:
    return f"{max(slow.cut):.0f} s" if len(slow.cut) == slow.count else "never"


FAULTS: dict[str, Fault] = {
    "200 trickle headers": _headers,
    "200 trickle a body": _bodies,
    "1,000 idle": _idle,
    "20 never read": _unread,
    "SIGTERM, 8 asking": _stop,
    "a worker killed, 8 asking": _kill,
}
