"""
Where demand and supply of a route meet: who waits, which slots are ready, and
who gets which.

Pure: nothing here knows a connection or a clock.  Every step costs
O(log n) or less, whatever the number of routes, waiters and slots, and
nothing is kept for a route that has neither a waiter nor a ready slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, Protocol, TypeVar

from attrs import frozen

from brxy.edge.instance import Instance, Slot
from brxy.edge.pool import Pool

__all__ = ["Broker", "Expire", "Held", "Match", "Reject", "Waiter"]


class Waiter(Protocol):
    """
    An exchange that needs a slot.

    @ivar route: which app it is for.
    @ivar number: its place in the order of arrival; set by the broker.
    @ivar deadline: when it has waited long enough; set by the broker.
    @ivar held: it waits now; set by the broker.
    """

    route: str
    number: int
    deadline: float
    held: bool


W = TypeVar("W", bound=Waiter)
S = TypeVar("S", bound=Slot)


@frozen
class Match(Generic[W, S]):
    """
    This slot is the waiter's from now on; its instance has one more in flight.
    """

    waiter: W
    slot: S


@frozen
class Held(Generic[W]):
    """
    No slot is ready: the waiter stands in line.
    """

    waiter: W


@frozen
class Reject(Generic[W]):
    """
    The waiter can't even stand in line.

    @ivar reason: C{full}, as many wait for this route as may.
    """

    waiter: W
    reason: str


@frozen
class Expire(Generic[W]):
    """
    The waiter stood in line until its deadline; it does no longer.
    """

    waiter: W


class Broker(Generic[W, S]):
    """
    Matches waiters, first come first served, with the ready slots of their
    route: newest generation first, then the instance with the most exchanges
    in flight (so that the others fall idle and can leave), then by ticket.  No
    waiter is ever held while a slot of its route is ready.
    """

    def __init__(self, max_held: int, hold_timeout: float) -> None:
        """
        @param max_held: how many may wait for one route.
        @param hold_timeout: how long one waits at most, in seconds.
        """
        self._max_held = max_held
        self._hold_timeout = hold_timeout
        self._number = 0
        self._held_total = 0
        # Only routes where somebody waits, and only routes with a ready slot.
        self._lines: dict[str, _Line[W]] = {}
        self._pools: dict[str, Pool[S]] = {}
        # One (deadline, route) for each line, never later than the line's
        # first deadline; others are stale.
        self._alarms: list[tuple[float, str]] = []

    # Demand

    def wait(self, waiter: W, now: float) -> Match[W, S] | Held[W] | Reject[W]:
        """
        A new exchange needs a slot.
        """
        route = waiter.route
        self._number = waiter.number = self._number + 1
        waiter.deadline = now + self._hold_timeout
        pool = self._pools.get(route)
        if pool is not None:
            return Match(waiter, self._take(route, pool))
        line = self._lines.get(route)
        if (0 if line is None else line.count) >= self._max_held:
            return Reject(waiter, "full")
        return self._hold(waiter, line)

    def requeue(self, waiter: W, now: float) -> Match[W, S] | Held[W]:
        """
        An exchange that had been matched is offered again.  It stands where it
        stood before, in front of all who came later, with the deadline it had,
        and is never rejected.
        """
        pool = self._pools.get(waiter.route)
        if pool is not None:
            return Match(waiter, self._take(waiter.route, pool))
        return self._hold(waiter, self._lines.get(waiter.route))

    def cancel(self, waiter: W) -> None:
        """
        The client hung up.  The waiter does not come back.  Does nothing for
        one that is not held.
        """
        if waiter.held:
            line = self._lines[waiter.route]
            line.drop(waiter)
            self._shorten(waiter.route, line, 1)

    def expire(self, now: float) -> list[Expire[W]]:
        """
        Let go of everyone whose deadline has come, earliest first.
        """
        expired: list[Expire[W]] = []
        while (due := self.nextDeadline()) is not None and due <= now:
            expired.append(Expire(self._first(self._alarms[0][1])))
        return expired

    def nextDeadline(self) -> float | None:
        """
        When L{expire} has something to do next, or L{None} if nobody waits.
        """
        alarms = self._alarms
        while alarms:
            when, route = alarms[0]
            line = self._lines.get(route)
            if line is None or line.alarm != when:
                heappop(alarms)
                continue
            due = line.first().deadline
            if due <= when:
                return due
            line.alarm = due
            heapreplace(alarms, (due, route))
        return None

    def takeAll(self, route: str) -> list[W]:
        """
        Let go of everyone who waits for a route, in order of arrival.
        """
        line = self._lines.get(route)
        if line is None:
            return []
        waiters = line.clear()
        self._shorten(route, line, len(waiters))
        return waiters

    def held(self, route: str) -> int:
        """
        How many wait for a route.
        """
        line = self._lines.get(route)
        return 0 if line is None else line.count

    def heldTotal(self) -> int:
        """
        How many wait for any route.
        """
        return self._held_total

    def routes(self) -> Iterable[str]:
        """
        The routes somebody waits for; a copy.
        """
        return list(self._lines)

    # Supply

    def ready(self, slot: S) -> Match[W, S] | None:
        """
        A slot is free and its READY stands.
        """
        instance = slot.instance
        route = instance.route
        if instance.suspended:
            instance.ready[slot] = None
        elif route in self._lines:
            instance.in_flight += 1
            return Match(self._first(route), slot)
        elif instance.ready:
            instance.ready[slot] = None
        else:
            instance.ready[slot] = None
            self._offer(instance)
        return None

    def withdraw(self, slot: S) -> None:
        """
        A slot took its READY back, or was lost, while it was idle.  Does
        nothing for a slot that is not ready.
        """
        instance = slot.instance
        if slot in instance.ready:
            del instance.ready[slot]
            if not instance.ready and not instance.suspended:
                self._leave(instance)

    def finish(self, slot: S) -> None:
        """
        The exchange that a match brought to this slot is over: done, refused
        or lost.  The slot is not ready again before L{ready} says so.
        """
        slot.instance.in_flight -= 1

    def suspend(self, instance: Instance) -> None:
        """
        Give an instance nothing more: its ready slots don't count until
        L{restore}.
        """
        if not instance.suspended:
            instance.suspended = True
            if instance.ready:
                self._leave(instance)

    def restore(self, instance: Instance) -> list[Match[W, S]]:
        """
        A suspended instance is well again.
        """
        matches: list[Match[W, S]] = []
        if instance.suspended:
            instance.suspended = False
            while instance.ready and instance.route in self._lines:
                slot = instance.ready.popitem()[0]
                instance.in_flight += 1
                matches.append(Match(self._first(instance.route), slot))
            if instance.ready:
                self._offer(instance)
        return matches

    # Lines and pools

    def _hold(self, waiter: W, line: _Line[W] | None) -> Held[W]:
        if line is None:
            line = self._lines[waiter.route] = _Line()
        line.add(waiter)
        self._held_total += 1
        if waiter.deadline < line.alarm:
            line.alarm = waiter.deadline
            heappush(self._alarms, (waiter.deadline, waiter.route))
            self._trimAlarms()
        return Held(waiter)

    def _first(self, route: str) -> W:
        """
        Take the first out of a line.
        """
        line = self._lines[route]
        waiter = line.pop()
        self._shorten(route, line, 1)
        return waiter

    def _shorten(self, route: str, line: _Line[W], left: int) -> None:
        """
        So many have left a line.
        """
        self._held_total -= left
        if not line.count:
            del self._lines[route]
            self._trimAlarms()

    def _trimAlarms(self) -> None:
        if len(self._alarms) > 2 * len(self._lines):
            self._alarms = [(line.alarm, route) for route, line in self._lines.items()]
            heapify(self._alarms)

    def _take(self, route: str, pool: Pool[S]) -> S:
        slot = pool.take()
        if not pool.offering:
            del self._pools[route]
        return slot

    def _offer(self, instance: Instance) -> None:
        pool = self._pools.get(instance.route)
        if pool is None:
            pool = self._pools[instance.route] = Pool()
        pool.enter(instance)

    def _leave(self, instance: Instance) -> None:
        pool = self._pools[instance.route]
        pool.leave()
        if not pool.offering:
            del self._pools[instance.route]


class _Line(Generic[W]):
    """
    Those who wait for one route.

    A heap by number, so that one who is offered again gets back in where it
    stood.  Whoever cancels stays in it until its turn comes, or until more
    than half of it is such.

    @ivar count: how many wait.
    @ivar alarm: the deadline under which the broker will look at this line.
    """

    __slots__ = ("_heap", "alarm", "count")

    def __init__(self) -> None:
        self._heap: list[tuple[int, W]] = []
        self.count = 0
        self.alarm = float("inf")

    def add(self, waiter: W) -> None:
        waiter.held = True
        self.count += 1
        heappush(self._heap, (waiter.number, waiter))

    def first(self) -> W:
        """
        Who is next; somebody must wait.
        """
        heap = self._heap
        while not self._stands(heap[0]):
            heappop(heap)
        return heap[0][1]

    def pop(self) -> W:
        waiter = self.first()
        heappop(self._heap)
        waiter.held = False
        self.count -= 1
        return waiter

    def drop(self, waiter: W) -> None:
        waiter.held = False
        self.count -= 1
        if len(self._heap) > 2 * self.count:
            self._heap = [entry for entry in self._heap if self._stands(entry)]
            heapify(self._heap)

    def clear(self) -> list[W]:
        waiters = [entry[1] for entry in sorted(self._heap) if self._stands(entry)]
        for waiter in waiters:
            waiter.held = False
        self.count = 0
        return waiters

    @staticmethod
    def _stands(entry: tuple[int, W]) -> bool:
        # The number tells a waiter's second wait from its first, cancelled one.
        return entry[1].held and entry[1].number == entry[0]
