"""
Measures loads on contenders, in interleaved windows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from benchmarks.http import wrk
from benchmarks.http.contender import Running
from benchmarks.http.load import Load
from benchmarks.http.usage import cpuTime
from benchmarks.report.figures import Window

__all__ = ["measure", "window"]

# Seconds for work that the end of a window causes, such as closing its connections: it belongs
# to the window.
_SETTLE = 0.02


def window(load: Load, number: int, contender: Running, seconds: float) -> Window:
    """
    Put a load on a contender, and measure what it uses.

    @raise BenchError: the contender or wrk has ended.
    """
    pids = {part: process.pid for part, process in contender.parts.items()}
    before = {part: cpuTime(pid) for part, pid in pids.items()}
    outcome = wrk.run(load, contender.port, seconds)
    time.sleep(_SETTLE)
    for process in contender.parts.values():
        process.check()
    cpu = {part: cpuTime(pid) - before[part] for part, pid in pids.items()}
    return Window(load, number, contender.name, cpu, outcome)


def measure(
    contenders: Sequence[Running],
    loads: Sequence[Load],
    rounds: int,
    seconds: float,
    said: Callable[[str], None],
) -> list[Window]:
    """
    Measure all windows. In each round of a load each contender has one, in an
    order that is different in each round, and the same in each run.

    If there are several rounds, one more precedes them as a warm-up.

    @param said: gets lines about the progress.
    """
    chance = random.Random(1)
    windows = []
    for load in loads:
        for number in range(0 if rounds > 1 else 1, rounds + 1):
            said(f"{load.name}: " + (f"round {number} of {rounds}" if number else "warming up"))
            for contender in chance.sample(contenders, len(contenders)):
                found = window(load, number, contender, seconds)
                if not found.outcome.bytes and not found.outcome.errors:
                    # A delay on a busy machine can be longer than a short window.
                    found = window(load, number, contender, 10 * seconds)
                if number:
                    windows.append(found)
    return windows
