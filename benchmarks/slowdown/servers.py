"""
Simulated apps: each says when the first byte of an answer comes.

An app takes everything up at once, and queues inside what it can't work on. Time
is simulated, so that an hour takes a second and the same seed gives the same figures.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Protocol

from attrs import define, field

__all__ = ["App", "Loop", "Pauses", "Shared", "Simulation", "Threads"]


@define
class Simulation:
    """
    The clock of a simulation, and what happens when.
    """

    now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(factory=list)
    _number: int = 0

    def at(self, time: float, act: Callable[[], None]) -> None:
        """
        Call a function at this time.
        """
        self._number += 1
        heappush(self._events, (time, self._number, act))

    def run(self, until: float) -> None:
        """
        Let time pass.
        """
        while self._events and self._events[0][0] <= until:
            self.now, _, act = heappop(self._events)
            act()
        self.now = until


@define
class Pauses:
    """
    Times at which an app stands still: a garbage collection, say.

    @ivar every: a pause begins each C{every} seconds.
    @ivar length: how long it lasts.
    """

    every: float = 0.0
    length: float = 0.0

    def end(self, start: float, work: float) -> float:
        """
        @return: when work is done that begins at C{start}.
        """
        if not self.every:
            return start + work
        done = start + work
        pause = (start // self.every) * self.every
        if start < pause + self.length and pause > 0:
            done += pause + self.length - start
        pause += self.every
        while pause < done:
            done += self.length
            pause += self.every
        return done


class App(Protocol):
    """
    An app.
    """

    def begin(self, work: float, done: Callable[[], None]) -> None:
        """
        Take a request up.

        @param work: the seconds that it takes if there is no other.
        @param done: called when the first byte of its answer comes.
        """


@define
class Threads:
    """
    An app with this number of threads. Other requests wait inside, in a queue.

    @ivar fair: the request that came first is worked on first; else any of them, as with a
        lock.
    """

    simulation: Simulation
    threads: int
    pauses: Pauses = field(factory=Pauses)
    fair: bool = True
    _busy: int = 0
    _queue: deque[tuple[float, Callable[[], None]]] = field(factory=deque)
    _random: random.Random = field(factory=lambda: random.Random(7))

    def begin(self, work: float, done: Callable[[], None]) -> None:
        self._queue.append((work, done))
        self._next()

    def _next(self) -> None:
        if self._busy == self.threads or not self._queue:
            return
        if not self.fair:
            self._queue.rotate(self._random.randrange(len(self._queue)))
        work, done = self._queue.popleft()
        self._busy += 1

        def end() -> None:
            self._busy -= 1
            self._next()
            done()

        self.simulation.at(self.pauses.end(self.simulation.now, work), end)


@define
class Shared:
    """
    An app that works on everything at once, with this number of processors.
    """

    simulation: Simulation
    processors: int
    _jobs: list[tuple[float, int, Callable[[], None]]] = field(factory=list)
    _served: float = 0.0
    _since: float = 0.0
    _number: int = 0
    _plans: int = 0

    def begin(self, work: float, done: Callable[[], None]) -> None:
        self._advance()
        self._number += 1
        heappush(self._jobs, (self._served + work, self._number, done))
        self._plan()

    def _advance(self) -> None:
        if self._jobs:
            speed = min(1.0, self.processors / len(self._jobs))
            self._served += (self.simulation.now - self._since) * speed
        self._since = self.simulation.now

    def _plan(self) -> None:
        if not self._jobs:
            return
        served, _, done = self._jobs[0]
        speed = min(1.0, self.processors / len(self._jobs))
        self._plans += 1
        plan = self._plans

        def end() -> None:
            if plan != self._plans:
                return
            self._advance()
            self._served = max(self._served, served)
            heappop(self._jobs)
            self._plan()
            done()

        wait = max(0.0, served - self._served) / speed
        self.simulation.at(self.simulation.now + wait, end)


@define
class Loop:
    """
    An event loop: each request needs the processor for a time, and then waits for something else.

    @ivar processor: the part of a request's work that needs the processor.
    """

    simulation: Simulation
    processor: float
    pauses: Pauses = field(factory=Pauses)
    _free: float = 0.0

    def begin(self, work: float, done: Callable[[], None]) -> None:
        start = max(self.simulation.now, self._free)
        self._free = self.pauses.end(start, work * self.processor)
        self.simulation.at(self._free + work * (1 - self.processor), done)
