"""
The waiters of all routes, within their limits.

Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from brxy.broker.ages import Ages
from brxy.broker.decisions import Expire, S, W
from brxy.broker.line import Line
from brxy.broker.probes import Probes
from brxy.broker.quota import Addresses

__all__ = ["Waiters"]


class Waiters(Generic[W, S]):
    """
    Counts the waiters, and keeps them in order: those of each route that have no slot in a
    line, and those that are probed.

    @ivar lines: by route; only routes with waiters that have no slot.
    @ivar probes: by route; only routes with waiters that are probed.
    @ivar ages: for their deadlines.
    """

    def __init__(self, max_held: int, max_held_total: int, max_held_per_address: int) -> None:
        """
        See L{brxy.broker.broker.Broker}.
        """
        self._max_held = max_held
        self._max_held_total = max_held_total
        self._addresses = Addresses(max_held_per_address) if max_held_per_address else None
        self._total = 0
        self.lines: dict[str, Line[W]] = {}
        self.probes: dict[str, Probes[W, S]] = {}
        self.ages: Ages[W] = Ages()

    def setLimits(self, max_held: int, max_held_total: int, until: Callable[[str], float]) -> None:
        """
        Other limits hold for new waiters.

        @param until: returns the time until which no waiter of a route waits for longer.
        """
        for waiter in self.ages.all():
            waiter.deadline = min(waiter.deadline, until(waiter.route))
        self.ages.reorder()
        self._max_held = max_held
        self._max_held_total = max_held_total

    def held(self, route: str) -> int:
        """
        The number of waiters of a route.
        """
        line = self.lines.get(route)
        held = 0 if line is None else line.count
        if self.probes and (probes := self.probes.get(route)) is not None:
            held += len(probes.held)
        return held

    def heldByRoute(self) -> dict[str, int]:
        """
        The number of waiters of each route that has any.
        """
        routes = {**self.lines, **self.probes}
        return {route: held for route in routes if (held := self.held(route))}

    def admit(self, waiter: W) -> str:
        """
        Count a new waiter.

        @return: why it can't be held, see L{brxy.broker.decisions.Reject}; C{""} if it
            can.
        """
        if self.held(waiter.route) >= self._max_held:
            return "full"
        if 0 < self._max_held_total <= self._total:
            return "full"
        if self._addresses is not None and not self._addresses.add(waiter.address):
            return "address"
        self._total += 1
        return ""

    def admitAgain(self, waiter: W) -> None:
        """
        Count a waiter that comes back, or is probed, whatever the limits are.
        """
        if self._addresses is not None:
            self._addresses.addAgain(waiter.address)
        self._total += 1

    # Those without a slot

    def add(self, waiter: W, has_own_time: bool) -> None:
        """
        A new waiter, which was admitted, has no slot.

        @param has_own_time: its route has a hold timeout of its own.
        """
        line = self.lines.get(waiter.route)
        if line is None:
            line = self.lines[waiter.route] = Line()
        line.add(waiter)
        if has_own_time:
            self.ages.addAgain(waiter)
        else:
            self.ages.add(waiter)

    def addAgain(self, waiter: W) -> None:
        """
        A waiter that comes back, and was admitted, has no slot.
        """
        self.lines.setdefault(waiter.route, Line()).addAgain(waiter)
        self.ages.addAgain(waiter)

    def pop(self, route: str, line: Line[W]) -> W:
        """
        Remove the first waiter of a line.
        """
        waiter = line.pop()
        if self._addresses is not None:
            self._addresses.remove(waiter.address)
        self._shorten(route, line, 1)
        return waiter

    def drop(self, waiter: W) -> None:
        """
        Remove a waiter from its line.
        """
        line = self.lines[waiter.route]
        line.drop(waiter)
        self._uncount(waiter)
        self._shorten(waiter.route, line, 1)

    # Those that are probed

    def probe(self, waiter: W, slot: S) -> None:
        """
        A waiter, which was admitted, is probed on a slot.
        """
        probes = self.probes.get(waiter.route)
        if probes is None:
            probes = self.probes[waiter.route] = Probes()
        probes.add(waiter, slot)
        slot.offer.watched = True
        self.ages.addAgain(waiter)

    def isProbed(self, waiter: W) -> bool:
        """
        @return: whether a waiter is probed, held or not.
        """
        return bool(self.probes) and waiter in self.probes.get(waiter.route, ())

    def taken(self, waiter: W) -> None:
        """
        The instance has taken up the exchange of a probe.
        """
        if self.isProbed(waiter):
            self.probes[waiter.route].slot(waiter).offer.matched += 1

    def release(self, waiter: W) -> None:
        """
        A waiter that is probed is held no longer.  Does nothing for one that is not held.
        """
        if waiter.held:
            self.probes[waiter.route].release(waiter)
            self._uncount(waiter)
            self._total -= 1
            self.ages.shorten(self._total)

    def unprobe(self, waiter: W) -> None:
        """
        A waiter is not probed any more, and not held.  Does nothing for one that is not
        probed.
        """
        if self.isProbed(waiter):
            self.release(waiter)
            probes = self.probes[waiter.route]
            probes.remove(waiter)
            if not probes:
                del self.probes[waiter.route]

    # All of them

    def expire(self, now: float) -> list[Expire[W]]:
        """
        See L{brxy.broker.broker.Broker.expire}.
        """
        expired: list[Expire[W]] = []
        while (oldest := self.ages.oldest()) is not None and oldest.deadline <= now:
            if self.isProbed(oldest):
                self.unprobe(oldest)
            else:
                # The oldest of its route is the first of its line.
                self.pop(oldest.route, self.lines[oldest.route])
            expired.append(Expire(oldest))
        return expired

    def takeAll(self, route: str) -> list[W]:
        """
        See L{brxy.broker.broker.Broker.takeAll}.
        """
        waiters: list[W] = []
        if (probes := self.probes.get(route)) is not None:
            waiters += probes.held
            for waiter in waiters:
                self.unprobe(waiter)
        if (line := self.lines.get(route)) is not None:
            cleared = line.clear()
            for waiter in cleared:
                self._uncount(waiter)
            self._shorten(route, line, len(cleared))
            waiters += cleared
        return sorted(waiters, key=lambda waiter: waiter.number)

    def _uncount(self, waiter: W) -> None:
        if self._addresses is not None:
            self._addresses.remove(waiter.address)

    def _shorten(self, route: str, line: Line[W], left: int) -> None:
        """
        Waiters have left a line.

        @param left: how many.
        """
        self._total -= left
        if not line.count:
            del self.lines[route]
        self.ages.shorten(self._total)
