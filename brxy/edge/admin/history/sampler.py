"""
Samples an edge once a second.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import dropwhile
from operator import itemgetter
from time import time
from typing import Any, NamedTuple, Protocol

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall

from brxy.edge.admin.history.quantiles import Quantiles
from brxy.edge.exchanges.holds import Holds
from brxy.edge.exchanges.refusals import TOO_MANY_ROUTES, TOO_MANY_WOKEN
from brxy.edge.exchanges.snapshot import DispatchSnapshot
from brxy.edge.records.record import Record
from brxy.edge.records.records import Records
from brxy.scaler.instance import Instance, State

__all__ = ["KEPT", "PERIOD", "Point", "Sampler", "Sources"]

#: Seconds between two points.
PERIOD = 1.0

#: How many points are kept.
KEPT = 600

#: Of how many routes a point has the most clients that were held.
ROUTES = 20

_STATES: Mapping[State, str] = {
    each: each.name.lower() for each in State if each is not State.GONE
}

# The answers to clients that were denied the start of an app.
_DENIED = (TOO_MANY_ROUTES.text, TOO_MANY_WOKEN.text)

_SHARES = {"p50": 0.5, "p99": 0.99}


class Exchanges(Protocol):
    """
    What is read of what brings exchanges and slots together.
    """

    @property
    def holds(self) -> Holds: ...

    @property
    def records(self) -> Records: ...

    def snapshot(self) -> DispatchSnapshot: ...


@frozen
class Sources:
    """
    Where the values come from.

    @ivar clients: returns how many connections of clients are open.
    @ivar instances: returns all instances.
    """

    exchanges: Exchanges
    clients: Callable[[], int]
    instances: Callable[[], Iterator[Instance]]


class Point(NamedTuple):
    """
    What happened in one second.

    @ivar time: its end, in seconds since 1970.
    @ivar text: the point as JSON.
    """

    time: float
    text: str


class _Totals(NamedTuple):
    """
    What is counted from the start of the edge on.
    """

    warm: int
    queued: int
    cold: int
    errors: int
    denied: int

    @classmethod
    def of(cls, done: DispatchSnapshot) -> _Totals:
        held = done.total_queued + done.total_cold
        errors = done.total_lost + sum(done.total_rejected.values())
        denied = sum(done.total_rejected.get(text, 0) for text in _DENIED)
        warm = done.total_matched - held
        return cls(warm, done.total_queued, done.total_cold, errors, denied)


class Sampler:
    """
    Keeps a point of each of the last seconds.

    All of it is read from counters that there are anyway, but for how long apps take: that is
    in the records of exchanges, which cost more, and so is recorded only while a client
    follows.
    """

    def __init__(self, clock: Any, sources: Sources, now: Callable[[], float] = time) -> None:
        """
        @param now: returns the seconds since 1970.
        """
        self._clock = clock
        self._sources = sources
        self._now = now
        self._points: deque[Point] = deque(maxlen=KEPT)
        self._denials: deque[int] = deque(maxlen=KEPT)
        self._followers: dict[Callable[[], None], None] = {}
        self._call: IDelayedCall | None = None
        self._hold, self._app = Quantiles(), Quantiles()
        self._failed = 0
        self._watched = False

    # Its time

    def start(self) -> None:
        """
        Begin.
        """
        holds = self._sources.exchanges.holds
        holds.observer = self._hold.add
        holds.takeMost()
        self._before = _Totals.of(self._sources.exchanges.snapshot())
        self._last = self._clock.seconds()
        self._next()

    def stop(self) -> None:
        """
        Leave no timer behind.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _next(self) -> None:
        self._due = self._clock.seconds() + PERIOD
        self._call = self._clock.callLater(PERIOD, self._sample)

    def _sample(self) -> None:
        self._next()
        now = self._clock.seconds()
        moment = round(self._now(), 3)
        view = {"time": moment, **self._read(now - self._last)}
        self._last = now
        self._points.append(Point(moment, json.dumps(view, separators=(",", ":"))))
        for follower in list(self._followers):
            follower()

    # What is read

    def _read(self, seconds: float) -> dict[str, Any]:
        done = self._sources.exchanges.snapshot()
        totals = _Totals.of(done)
        rates = [
            round((now - before) / max(seconds, 0.001), 3)
            for now, before in zip(totals, self._before, strict=True)
        ]
        self._denials.append(totals.denied - self._before.denied)
        self._before = totals
        most, most_of = self._sources.exchanges.holds.takeMost()
        warm, queued, cold, errors, _ = rates
        return {
            "seconds": round(seconds, 3),
            "late": round(max(0.0, seconds - PERIOD), 4),
            "requests": {"warm": warm, "queued": queued, "cold": cold},
            "errors": errors,
            "clients": self._sources.clients(),
            "held": sum(done.held.values()),
            "most_held": most,
            "most_held_routes": dict(nlargest(ROUTES, most_of.items(), itemgetter(1))),
            "oldest_hold": round(done.oldest_hold, 3),
            **self._instances(),
            "hold": _quantiles(self._hold),
            "app": self._apps(),
        }

    def _instances(self) -> Mapping[str, Any]:
        states = dict.fromkeys(_STATES.values(), 0)
        in_flight = capacity = 0
        for each in self._sources.instances():
            states[_STATES[each.state]] += 1
            in_flight += each.offer.in_flight
            if each.state is State.READY:
                capacity += each.capacity
        return {"instances": states, "in_flight": in_flight, "capacity": capacity}

    def _apps(self) -> Mapping[str, Any] | None:
        failed, self._failed = self._failed, 0
        watched, self._watched = self._watched, bool(self._followers)
        # In the first second, only a part was recorded.
        found = _quantiles(self._app)
        return {**found, "errors": failed} if watched else None

    def __call__(self, records: Sequence[Record]) -> None:
        """
        Exchanges have ended.
        """
        for record in records:
            seconds = record.app
            if seconds is not None:
                self._app.add(seconds)
                self._failed += record.status >= 500

    # What is known

    def after(self, moment: float) -> Sequence[Point]:
        """
        @param moment: in seconds since 1970.
        @return: the points that are kept and came after that.
        """
        return list(dropwhile(lambda point: point.time <= moment, self._points))

    @property
    def last(self) -> float:
        """
        The time of the last point; 0 before the first.
        """
        return self._points[-1].time if self._points else 0.0

    @property
    def denied(self) -> int:
        """
        How many clients were denied the start of an app.
        """
        return sum(self._denials)

    def follow(self, follower: Callable[[], None]) -> None:
        """
        Call a function at each point from now on.
        """
        if not self._followers:
            self._sources.exchanges.records.add(self)
        self._followers[follower] = None

    def unfollow(self, follower: Callable[[], None]) -> None:
        """
        Call it no more.
        """
        if self._followers.pop(follower, follower) is None and not self._followers:
            self._sources.exchanges.records.remove(self)


def _quantiles(times: Quantiles) -> dict[str, float | None]:
    found = times.take(list(_SHARES.values()))
    if not found:
        return dict.fromkeys(_SHARES)
    return {name: round(each, 5) for name, each in zip(_SHARES, found, strict=True)}
