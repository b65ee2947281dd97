"""
Where demand and supply of a route meet: who waits, which slots are ready, and
who gets which.

Pure: nothing here knows a connection or a clock.  What a step costs, averaged
over many, does not depend on how many wait and on how many routes.  Only n
instances that offer slots for one route, or n exchanges that are offered again,
are put in order, by O(log n) comparisons.  Nothing is kept for a route that has
neither a waiter nor a ready slot.
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
    Matches waiters, first come first served, with the ready slots of their
    route: those of the first spawner first, of these the newest generation, then
    the instance with the most exchanges in flight (so that the others fall idle
    and can leave), then by ticket.  No waiter is ever held while a slot of its
    route is ready.
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
        @param max_held: how many may wait for one route.
        @param hold_timeout: how long one waits at most, in seconds.
        @param max_held_total: how many may wait for all; 0 for any number.
        @param max_held_per_address: and of one address.
        """
        self._max_held = max_held
        self._max_held_total = max_held_total
        self._addresses = Addresses(max_held_per_address) if max_held_per_address else None
        self._hold_timeout = hold_timeout
        self._number = 0
        self._held_total = 0
        # Only routes where somebody waits, and only routes with a ready slot.
        self._lines: dict[str, Line[W]] = {}
        self._pools: dict[str, Pool[S]] = {}
        # Everybody who waits, and some who do no longer, for their deadlines:
        # in order of arrival, and beside it those who are offered again.
        self._arrived: deque[W] = deque()
        self._again: list[tuple[int, W]] = []

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
        An exchange that had been matched is offered again.  It stands where it
        stood before, in front of all who came later, with the deadline it had,
        and is never rejected.
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
        The client hung up.  The waiter does not come back.  Does nothing for
        one that is not held.
        """
        if waiter.held:
            line = self._lines[waiter.route]
            line.drop(waiter)
            self._uncount(waiter)
            self._shorten(waiter.route, line, 1)

    def expire(self, now: float) -> list[Expire[W]]:
        """
        Let go of everyone whose deadline has come, earliest first.
        """
        expired: list[Expire[W]] = []
        while (oldest := self._oldest()) is not None and oldest.deadline <= now:
            route = oldest.route
            expired.append(Expire(self._first(route, self._lines[route])))
        return expired

    def nextDeadline(self) -> float | None:
        """
        When L{expire} has something to do next, or L{None} if nobody waits.
        """
        oldest = self._oldest()
        return None if oldest is None else oldest.deadline

    def takeAll(self, route: str) -> list[W]:
        """
        Let go of everyone who waits for a route, in order of arrival.
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
        How many wait for a route.
        """
        line = self._lines.get(route)
        return 0 if line is None else line.count

    def routes(self) -> list[str]:
        """
        The routes that exchanges wait for.
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
        A slot is free and its READY stands.
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
        A slot took its READY back, or was lost, while it was idle.  Does
        nothing for a slot that is not ready.
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
        The exchange that a match brought to this slot is over: done, refused
        or lost.  The slot is not ready again before L{ready} says so.
        """
        slot.offer.in_flight -= 1

    def suspend(self, offer: Offer) -> None:
        """
        Give an instance nothing more: its ready slots don't count until
        L{restore}.
        """
        if not offer.suspended:
            offer.suspended = True
            if offer.ready:
                self._leave(offer)

    def restore(self, offer: Offer) -> list[Match[W, S]]:
        """
        A suspended instance is well again.
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
        Take the first out of a line.
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
        So many have left a line.
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
        Who has waited longest, on any route; so its deadline is the next, and
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
