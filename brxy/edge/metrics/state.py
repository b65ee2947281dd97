"""
Metrics that are read when they are asked for: what there is now.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from attrs import frozen

from brxy import __version__
from brxy.edge.exchanges import refusals
from brxy.edge.metrics import edgetable, instancetable
from brxy.edge.metrics.labels import RouteLabels
from brxy.edge.metrics.metric import OWN
from brxy.edge.metrics.series import Family, Labels
from brxy.scaler.instance import State
from brxy.scaler.snapshot import RouteSnapshot, Snapshots

__all__ = ["EdgeState", "Exchanges", "Sources"]

_LIMITS = {
    "max-held": refusals.TOO_MANY_HELD.text,
    "max-held-per-address": refusals.TOO_MANY_HELD_FOR_ADDRESS.text,
    "hold-timeout": refusals.HELD_TOO_LONG.text,
}

_WAKES = {
    "max-routes": refusals.TOO_MANY_ROUTES.text,
    "wake-rate": refusals.TOO_MANY_WOKEN.text,
}

_STATES: dict[State, str] = {each: each.name.lower() for each in State if each is not State.GONE}


class Exchanges(Protocol):
    """
    What is read of what brings exchanges and slots together.

    @ivar total_rejected: exchanges that were not served, by the text of the answer.
    """

    @property
    def total_rejected(self) -> Mapping[str, int]: ...


@frozen
class Sources:
    """
    Where the values come from.

    @ivar snapshots: of the scaler.
    @ivar exchanges: reads what has become of exchanges.
    @ivar clients: returns how many connections of clients are open.
    @ivar seconds: the time of the reactor.
    """

    snapshots: Snapshots
    exchanges: Callable[[], Exchanges]
    clients: Callable[[], int]
    seconds: Callable[[], float]


@frozen
class _Counts:
    """
    The values of one reading, by their labels.
    """

    held: dict[Labels, int]
    in_flight: dict[Labels, int]
    capacity: dict[Labels, int]
    breakers: dict[Labels, int]
    instances: dict[Labels, int]


class EdgeState:
    """
    Reads what there is now.
    """

    def __init__(self, labels: RouteLabels, sources: Sources) -> None:
        self._labels = labels
        self._sources = sources
        # Series that there have been, with 0: those of routes that rest stay.
        self._by_route: dict[Labels, int] = {}
        self._by_spawner: dict[Labels, int] = {}
        self._by_state: dict[Labels, int] = {}
        self._started = _startTime()

    def read(self, found: list[Family]) -> Iterator[None]:
        """
        Read one route after the other, and yield after each.

        @param found: gets the metrics with their values when all is read.
        """
        counts = _Counts(
            self._by_route.copy(),
            self._by_route.copy(),
            self._by_route.copy(),
            self._by_spawner.copy(),
            self._by_state.copy(),
        )
        sources = self._sources
        for route in sources.snapshots.routes():
            snapshot = sources.snapshots.route(route, sources.seconds())
            if snapshot is not None:
                self._count(self._labels.of(route), snapshot, counts)
            yield
        found += [
            (instancetable.INSTANCES, counts.instances),
            (instancetable.CAPACITY, counts.capacity),
            (instancetable.IN_FLIGHT, counts.in_flight),
            (instancetable.HELD, counts.held),
            (instancetable.BREAKER, counts.breakers),
            *self._edge(),
        ]

    def _count(self, label: str, snapshot: RouteSnapshot, counts: _Counts) -> None:
        key = (label,)
        if key not in counts.held:
            self._by_route[key] = 0
            counts.held[key] = counts.in_flight[key] = counts.capacity[key] = 0
        counts.held[key] += snapshot.waiting
        for spawn in snapshot.spawns:
            self._add(label, spawn.name, counts)
            counts.breakers[label, spawn.name] += spawn.allowed is not None
        for each in snapshot.instances:
            spawner = OWN if each.spawn is None else each.spawn
            self._add(label, spawner, counts)
            counts.instances[label, spawner, _STATES[each.state]] += 1
            counts.in_flight[key] += each.in_flight
            if each.state is State.READY:
                counts.capacity[key] += each.capacity

    def _add(self, label: str, spawner: str, counts: _Counts) -> None:
        key = (label, spawner)
        if key not in counts.breakers:
            self._by_spawner[key] = counts.breakers[key] = 0
            for state in _STATES.values():
                self._by_state[*key, state] = counts.instances[*key, state] = 0

    def _edge(self) -> Iterator[Family]:
        rejected = self._sources.exchanges().total_rejected
        for metric, texts in ((edgetable.LIMITS, _LIMITS), (edgetable.WAKES_DENIED, _WAKES)):
            yield metric, {(name,): rejected.get(text, 0) for name, text in texts.items()}
        yield edgetable.CLIENTS, {(): self._sources.clients()}
        yield edgetable.BUILD, {(__version__, platform.python_version()): 1}
        yield edgetable.CPU, {(): sum(os.times()[:2])}
        yield edgetable.MEMORY, {(): _memory()}
        yield edgetable.STARTED, {(): self._started}


def _memory() -> int:
    resident = Path("/proc/self/statm").read_text().split()[1]
    return int(resident) * resource.getpagesize()


def _startTime() -> float:
    # The 22nd field, in clock ticks since the machine was started; the second one may have spaces.
    ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    return (
        time.time()
        - time.clock_gettime(time.CLOCK_BOOTTIME)
        + int(ticks) / os.sysconf("SC_CLK_TCK")
    )
