"""
An edge that measures its own pauses::

    python -m benchmarks.coldstart.coldstartturns FILE OPTIONS

A turn of the reactor is the time between two polls of its descriptors. No
client is served during it.
"""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path
from typing import Any

from brxy.program.main import run

__all__ = ["Longest"]


class Longest:
    """
    The longest turn, shared by two processes: one measures, one reads.

    @param file: is created if it does not exist.
    """

    def __init__(self, file: Path) -> None:
        with file.open("a+b") as opened:
            opened.truncate(16)
            self._values = memoryview(mmap.mmap(opened.fileno(), 16)).cast("d")

    def note(self, wall: float, cpu: float) -> None:
        """
        Record a turn that took this many seconds, and this many of the
        processor.
        """
        values = self._values
        if wall > values[0]:
            values[0] = wall
        if cpu > values[1]:
            values[1] = cpu

    def take(self) -> tuple[float, float]:
        """
        @return: the longest turn since the last call, in either measure.
        """
        taken = self._values[0], self._values[1]
        self._values[0] = self._values[1] = 0.0
        return taken


class _Timed:
    """
    The reactor's epoll object, with a clock.
    """

    def __init__(self, poller: Any, longest: Longest) -> None:
        self._poller = poller
        self._longest = longest
        self._wall = time.perf_counter()
        self._cpu = time.thread_time()

    def poll(self, *args: Any) -> Any:
        """
        Poll: a turn ends here, and the next one begins.
        """
        self._longest.note(time.perf_counter() - self._wall, time.thread_time() - self._cpu)
        events = self._poller.poll(*args)
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)


def main() -> None:
    """
    Run such an edge.
    """
    from twisted.internet import reactor

    file = sys.argv.pop(1)
    timed: Any = reactor
    timed._poller = _Timed(timed._poller, Longest(Path(file)))
    run("brxy-edge")


if __name__ == "__main__":
    main()
