"""
Trials: how long requests wait, compared with the true number.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from attrs import frozen

from benchmarks.capacity.catalogue import APPS
from benchmarks.capacity.edges import Outcome, gunicorn, startEdge
from benchmarks.http.servers import Servers
from benchmarks.queueing.queueing import p99
from benchmarks.queueing.queueingload import LOAD, perform, requests
from benchmarks.report.command import say

__all__ = ["Case", "cases", "compare"]

_SINGLE = [sys.executable, "-S", "-E", str(APPS.parents[1] / "queueing" / "queueingapp.py")]


@frozen
class Case:
    """
    An app whose queueing is compared.

    @ivar each: how many requests an instance works on at once.
    @ivar limit: the ratio of p99 that may be reached.
    """

    name: str
    app: Sequence[str]
    each: int
    instances: int
    mean: float
    limit: float


def compare(case: Case, smoke: bool) -> Outcome:
    """
    Compare a capacity that is learned with the true number.
    """
    rounds, number = (1, 60) if smoke else (7, 1500)
    slots = case.each * case.instances
    ratios = []
    with Servers() as servers:
        ports = {}
        for capacity in ("auto", str(case.each)):
            keys = f"max={case.instances} capacity={capacity}"
            ports[capacity] = startEdge(servers, capacity, case.app, keys).port
            # All instances are started, and have worked for a while.
            for seed in range(1 if smoke else 2):
                perform(ports[capacity], requests(seed + 1000, number // 3, slots, case.mean))
        for turn in range(rounds):
            work = requests(turn + 1, number, slots, case.mean)
            worst = {}
            for capacity in sorted(ports, reverse=bool(turn % 2)):
                answers = perform(ports[capacity], work)
                worst[capacity] = p99(sorted(answer.latency for answer in answers))
            ratios.append(worst["auto"] / worst[str(case.each)])
            say(f"{case.name}: {worst}")
    ratio = statistics.median(ratios)
    found = f"{ratio:.3f} (rounds: {', '.join(f'{each:.2f}' for each in sorted(ratios))})"
    return Outcome(
        f"p99 at load {LOAD}, {case.name}", f"at most {case.limit}", found, ratio <= case.limit
    )


def cases(python: str) -> list[Case]:
    """
    @return: apps that work on one request at a time, on four, and on four of those they read.
    """
    waitress = [python, "-m", "waitress", "--listen=127.0.0.1:{port}", "wsgiapp:app"]
    return [
        Case("16 single-threaded apps", _SINGLE, 1, 16, 0.04, 1.05),
        Case("2 × gunicorn --threads 4", gunicorn(python, "--threads 4"), 4, 2, 0.04, 1.05),
        Case("2 × waitress", waitress, 4, 2, 0.04, 1.2),
    ]
