"""How long answers take, seen through the noise of a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from scaffold.contract.client import Answer, Broken

FEWEST, MOST = 5, 40
FACTOR = 2
# What nobody can tell apart over a network.
SLACK = 0.001

Send = Callable[[], Answer]


def same_time(makers: Mapping[str, Callable[[int], Send]], status: int) -> None:
    """Hold the quickest answers of each kind to be alike.

    Each maker prepares its n-th request, which is then sent and timed; the kinds take turns.
    Whatever else the machine does only ever adds time, so sampling goes on until it has let each
    kind through once; only what stays slower all along is slower.
    """
    best = dict.fromkeys(makers, 60.0)
    for number in range(MOST):
        for name, make in makers.items():
            send = make(number)
            begin = time.perf_counter()
            answer = send()
            best[name] = min(best[name], time.perf_counter() - begin)
            answer.expect(status)
        if number >= FEWEST and max(best.values()) < FACTOR * min(best.values()) + SLACK:
            return
    told = ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in best.items())
    raise Broken(f"the quickest of {MOST} answers each: {told}")
