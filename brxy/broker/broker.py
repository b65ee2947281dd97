"""
Matches the waiters of each route with its ready slots.

Pure: it has no connections and no clock.  The amortized cost of a step depends neither
on the number of waiters nor on the number of routes.  Only the n instances that offer
slots for one route, and n exchanges that are offered again, are kept in order, with
O(log n) comparisons.  A route without waiters and ready slots takes no memory.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Generic

from brxy.broker.decisions import Expire, Held, Match, Reject, S, W
from brxy.broker.line import Line
from brxy.broker.offer import Offer
from brxy.broker.pool import Pool
from brxy.broker.quota import Addresses
from brxy.broker.snapshot import BrokerSnapshot

__all__ = ["Broker"]


class Broker(Generic[W, S]):
    """
    Matches waiters, first come first served, with the ready slots of their route.

    The slots of the lowest place come first (see L{brxy.broker.offer.Offer}), then those
    of the instance with the most exchanges in flight (so that the others become idle and
    can leave), then the ticket decides.  No waiter is held while a slot of its route is
    ready.
    """

    def __init__(
        self,
        max_held: int,
        hold_timeout: float,
        *,
        max_held_total: int = 0,
        max_held_per_address: int = 0,
    ) -> None:
        """
        @param max_held: maximum number of waiters of one route.
        @param hold_timeout: how long an exchange waits at most, in seconds.
        @param max_held_total: maximum number of waiters of all routes; 0: no limit.
        @param max_held_per_address: maximum number of waiters of one address; 0: no
            limit.
        """
        self._max_held = max_held
        self._max_held_total = max_held_total
        self._addresses = Addresses(max_held_per_address) if max_held_per_address else None
        self._hold_timeout = hold_timeout
        self._number = 0
        self._held_total = 0
        # Only routes with waiters, and only routes with a ready slot.
        self._lines: dict[str, Line[W]] = {}
        self._pools: dict[str, Pool[S]] = {}
        # Waiters by deadline, lazily cleaned: in order of arrival, and a heap of those
        # that were offered again.
        self._arrived: deque[W] = deque()
        self._again: list[tuple[int, W]] = []

    # Demand

    def wait(self, waiter: W, now: float) -> Match[W, S] | Held[W] | Reject[W]:
        """
        A new exchange needs a slot: it gets one, waits, or is rejected.
        """
        route = waiter.route
        self._number = waiter.number = self._number + 1
        waiter.deadline = now + self._hold_timeout
        pool = self._pools.get(route)
        if pool is not None:
            return self._take(waiter, route, pool)
        line = self._lines.get(route)
        if (0 if line is None else line.count) >= self._max_held:
            return Reject(waiter, "full")
        if 0 < self._max_held_total <= self._held_total:
            return Reject(waiter, "full")
        if self._addresses is not None and not self._addresses.add(waiter.address):
            return Reject(waiter, "address")
        if line is None:
            line = self._lines[route] = Line()
        line.add(waiter)
        self._arrived.append(waiter)
        self._held_total += 1
        return Held(waiter)

    def requeue(self, waiter: W, now: float) -> Match[W, S] | Held[W]:
        """
        An exchange that had been matched is offered again.  It has its former place,
        before all that came later, and its former deadline, and is never rejected.
        """
        pool = self._pools.get(waiter.route)
        if pool is not None:
            return self._take(waiter, waiter.route, pool)
        self._lines.setdefault(waiter.route, Line()).addAgain(waiter)
        if self._addresses is not None:
            self._addresses.addAgain(waiter.address)
        heappush(self._again, (waiter.number, waiter))
        self._held_total += 1
        return Held(waiter)

    def cancel(self, waiter: W) -> None:
        """
        An exchange waits no longer.  Does nothing for one that does not wait.
        """
        if waiter.held:
            line = self._lines[waiter.route]
            line.drop(waiter)
            self._uncount(waiter)
            self._shorten(waiter.route, line, 1)

    def expire(self, now: float) -> list[Expire[W]]:
        """
        Remove the waiters whose deadline has come, earliest first.
        """
        expired: list[Expire[W]] = []
        while (oldest := self._oldest()) is not None and oldest.deadline <= now:
            route = oldest.route
            expired.append(Expire(self._first(route, self._lines[route])))
        return expired

    def nextDeadline(self) -> float | None:
        """
        When L{expire} has something to do next; L{None} without waiters.
        """
        oldest = self._oldest()
        return None if oldest is None else oldest.deadline

    def takeAll(self, route: str) -> list[W]:
        """
        Remove all waiters of a route.

        @return: the waiters in order of arrival.
        """
        line = self._lines.get(route)
        if line is None:
            return []
        waiters = line.clear()
        for waiter in waiters:
            self._uncount(waiter)
        self._shorten(route, line, len(waiters))
        return waiters

    def held(self, route: str) -> int:
        """
        The number of waiters of a route.
        """
        line = self._lines.get(route)
        return 0 if line is None else line.count

    def routes(self) -> list[str]:
        """
        The routes that have waiters.
        """
        return list(self._lines)

    def snapshot(self) -> BrokerSnapshot:
        """
        What it knows.
        """
        return BrokerSnapshot(
            {route: line.count for route, line in self._lines.items()},
            {route: pool.offering for route, pool in self._pools.items()},
            len(self._arrived) + len(self._again),
            sum(map(len, self._lines.values())),
            sum(map(len, self._pools.values())),
        )

    # Supply

    def ready(self, slot: S) -> Match[W, S] | None:
        """
        A slot can take an exchange.

        @return: the match, if the route has a waiter.
        """
        offer = slot.offer
        if offer.suspended:
            offer.ready[slot] = None
        elif (line := self._lines.get(offer.route)) is not None:
            offer.in_flight += 1
            return Match(self._first(offer.route, line), slot)
        elif offer.ready:
            offer.ready[slot] = None
        else:
            offer.ready[slot] = None
            self._offer(offer)
        return None

    def withdraw(self, slot: S) -> None:
        """
        A ready slot takes no exchange any more.  Does nothing for a slot that is not
        ready.
        """
        offer = slot.offer
        if slot in offer.ready:
            del offer.ready[slot]
            if not offer.ready and not offer.suspended:
                self._leave(offer)

    def withdrawAll(self, offer: Offer) -> None:
        """
        Withdraw every ready slot of an instance.
        """
        if offer.ready:
            offer.ready.clear()
            if not offer.suspended:
                self._leave(offer)

    def finish(self, slot: S) -> None:
        """
        The exchange of a match is over: done, refused or lost.  The slot is not ready
        until the next call of L{ready}.
        """
        slot.offer.in_flight -= 1

    def suspend(self, offer: Offer) -> None:
        """
        Match no more slots of an instance until L{restore}.
        """
        if not offer.suspended:
            offer.suspended = True
            if offer.ready:
                self._leave(offer)

    def restore(self, offer: Offer) -> list[Match[W, S]]:
        """
        Match the slots of a suspended instance again.
        """
        matches: list[Match[W, S]] = []
        if offer.suspended:
            offer.suspended = False
            route = offer.route
            while offer.ready and (line := self._lines.get(route)) is not None:
                slot = offer.ready.popitem()[0]
                offer.in_flight += 1
                matches.append(Match(self._first(route, line), slot))
            if offer.ready:
                self._offer(offer)
        return matches

    # Lines and pools

    def _first(self, route: str, line: Line[W]) -> W:
        """
        Remove the first waiter of a line.
        """
        waiter = line.pop()
        if self._addresses is not None:
            self._addresses.remove(waiter.address)
        self._shorten(route, line, 1)
        return waiter

    def _uncount(self, waiter: W) -> None:
        if self._addresses is not None:
            self._addresses.remove(waiter.address)

    def _shorten(self, route: str, line: Line[W], left: int) -> None:
        """
        Waiters have left a line.

        @param left: how many.
        """
        self._held_total -= left
        if not line.count:
            del self._lines[route]
        if len(self._arrived) + len(self._again) > 2 * self._held_total:
            self._arrived = deque(each for each in self._arrived if each.held)
            self._again = [each for each in self._again if each[1].held]
            heapify(self._again)

    def _oldest(self) -> W | None:
        """
        The waiter that has waited longest, on any route.  Its deadline is the next, and
        it is the first of its line.
        """
        arrived, again = self._arrived, self._again
        while arrived and not arrived[0].held:
            arrived.popleft()
        while again and not again[0][1].held:
            heappop(again)
        if again and (not arrived or again[0][0] < arrived[0].number):
            return again[0][1]
        return arrived[0] if arrived else None

    def _take(self, waiter: W, route: str, pool: Pool[S]) -> Match[W, S]:
        match = Match(waiter, pool.take())
        if not pool.offering:
            del self._pools[route]
        return match

    def _offer(self, offer: Offer) -> None:
        pool = self._pools.get(offer.route)
        if pool is None:
            pool = self._pools[offer.route] = Pool()
        pool.enter(offer)

    def _leave(self, offer: Offer) -> None:
        pool = self._pools[offer.route]
        pool.leave()
        if not pool.offering:
            del self._pools[offer.route]
