"""
Matches the waiters of each route with its ready slots.

Pure: it has no connections and no clock.  The amortized cost of a step depends neither
on the number of waiters nor on the number of routes.  Only the n instances that offer
slots for one route, and n exchanges that are offered again, are kept in order, with
O(log n) comparisons.  A route without waiters and ready slots takes no memory.
"""

from __future__ import annotations

from collections.abc import Callable

from brxy.broker.decisions import Expire, Held, Match, Probe, Recall, Reject, S, W
from brxy.broker.gates import Gates
from brxy.broker.line import Line
from brxy.broker.offer import Offer
from brxy.broker.pool import Pools
from brxy.broker.snapshot import BrokerSnapshot
from brxy.broker.waiters import Waiters
from brxy.broker.withholding import Withholding

__all__ = ["Broker"]


class Broker(Withholding[W, S]):
    """
    Matches waiters, first come first served, with the ready slots of their route.

    The slots of instances below their capacity come first, then those of the lowest place
    (see L{brxy.broker.offer.Offer}), then those of the instance with the most exchanges in
    flight (so that the others become idle and can leave), then the ticket decides.

    An exchange on a slot beyond the capacity is a probe.  It remains a waiter, with its place
    and its deadline, until the instance has taken it up.  No other waiter is held while a slot
    of its route is ready.  A slot below the capacity is for the oldest waiter: if that is probed
    on another instance, which has still no room for it, it is recalled.  Until it comes back,
    the slot is free for any other waiter.
    """

    def __init__(
        self,
        max_held: int,
        hold_timeout: float,
        *,
        max_held_total: int = 0,
        max_held_per_address: int = 0,
        own_timeouts: Callable[[str], float | None] | None = None,
    ) -> None:
        """
        @param max_held: maximum number of waiters of one route.
        @param hold_timeout: how long an exchange waits at most, in seconds.
        @param max_held_total: maximum number of waiters of all routes; 0: no limit.
        @param max_held_per_address: maximum number of waiters of one address; 0: no
            limit.
        @param own_timeouts: returns the C{hold_timeout} of a route; L{None} if it has none of
            its own, or if no route has.
        """
        self._hold_timeout = hold_timeout
        self._own_timeouts = own_timeouts
        self._number = 0
        self._waiters = waiters = Waiters[W, S](max_held, max_held_total, max_held_per_address)
        self._lines, self._probes = waiters.lines, waiters.probes
        # Only routes with a ready slot.
        self._pools: Pools[S] = Pools()
        self.gates = Gates(self.held)

    def setLimits(
        self,
        max_held: int,
        max_total: int,
        hold_timeout: float,
        now: float,
        own_timeouts: Callable[[str], float | None] | None = None,
    ) -> None:
        """
        Other limits hold from now on, the times also for those that wait.
        """
        self._hold_timeout = hold_timeout
        self._own_timeouts = own_timeouts
        self._waiters.setLimits(max_held, max_total, lambda route: now + self._timeoutOf(route))

    def _timeoutOf(self, route: str) -> float:
        own = None if self._own_timeouts is None else self._own_timeouts(route)
        return self._hold_timeout if own is None else own

    # Demand

    def wait(self, waiter: W, now: float) -> Match[W, S] | Probe[W, S] | Held[W] | Reject[W]:
        """
        A new exchange needs a slot: it gets one, waits, or is rejected.
        """
        route = waiter.route
        self._number = waiter.number = self._number + 1
        own_timeouts = self._own_timeouts
        timeout = self._hold_timeout if own_timeouts is None else self._timeoutOf(route)
        waiter.deadline = now + timeout
        pool = self._pools.get(route)
        if pool is not None:
            # The same as by Pools.take(), but faster.
            slot = pool.take()
            if not pool.offering:
                del self._pools[route]
            offer = slot.offer
            if offer.in_flight <= offer.capacity:
                offer.matched += 1
                return Match(waiter, slot)
            # As one that is offered again, it may be one more than the limits allow.
            self._waiters.admitAgain(waiter)
            self._waiters.probe(waiter, slot)
            return Probe(waiter, slot)
        if reason := self._waiters.admit(waiter):
            return Reject(waiter, reason)
        self._waiters.add(waiter, own_timeouts is not None)
        return Held(waiter)

    def requeue(self, waiter: W, now: float) -> Match[W, S] | Probe[W, S] | Held[W]:
        """
        An exchange that was matched or probed is offered again.  It has its former place
        and deadline, and is never rejected.
        """
        self._waiters.unprobe(waiter)
        waiter.deadline = min(waiter.deadline, now + self._timeoutOf(waiter.route))
        pool = self._pools.get(waiter.route)
        slot = None if pool is None else self._pools.take(waiter.route, pool)
        if slot is not None and slot.offer.in_flight <= slot.offer.capacity:
            slot.offer.matched += 1
            return Match(waiter, slot)
        self._waiters.admitAgain(waiter)
        if slot is None:
            self._waiters.addAgain(waiter)
            return Held(waiter)
        self._waiters.probe(waiter, slot)
        return Probe(waiter, slot)

    def cancel(self, waiter: W) -> Recall[W] | None:
        """
        An exchange needs no slot any more.  Does nothing for one that neither waits nor is
        probed.

        @return: see L{taken}.
        """
        if self._waiters.isProbed(waiter):
            recalled = not waiter.held
            self._waiters.unprobe(waiter)
            return self._recall(waiter.route) if recalled else None
        if waiter.held:
            self._waiters.drop(waiter)
        return None

    def taken(self, waiter: W) -> Recall[W] | None:
        """
        The instance has taken up the exchange of a probe: it waits no longer.

        @return: the next waiter to recall, for the slot for which this one was.
        """
        self._waiters.taken(waiter)
        return self.cancel(waiter)

    def stands(self, waiter: W) -> Recall[W] | None:
        """
        A waiter has been probed for some time: from now on it is recalled for any slot of
        another instance, unless another waiter gets that.
        """
        if not waiter.held or not self._waiters.isProbed(waiter):
            return None
        self._probes[waiter.route].stand(waiter)
        return self._recall(waiter.route)

    def expire(self, now: float) -> list[Expire[W]]:
        """
        Remove the waiters whose deadline has come, earliest first.
        """
        return self._waiters.expire(now)

    def nextDeadline(self) -> float | None:
        """
        When L{expire} has something to do next; L{None} without waiters.
        """
        oldest = self._waiters.ages.oldest()
        return None if oldest is None else oldest.deadline

    def takeAll(self, route: str) -> list[W]:
        """
        Remove all waiters of a route.

        @return: the waiters in order of arrival.
        """
        return self._waiters.takeAll(route)

    def held(self, route: str) -> int:
        """
        The number of waiters of a route.
        """
        return self._waiters.held(route)

    def snapshot(self) -> BrokerSnapshot:
        """
        What it knows.
        """
        lines, probes, pools = self._lines, self._probes, self._pools
        return BrokerSnapshot(
            self._waiters.heldByRoute(),
            {route: len(each.held) for route, each in probes.items() if each.held},
            {route: pool.offering for route, pool in pools.items()},
            len(self._waiters.ages),
            sum(map(len, lines.values())) + sum(map(len, probes.values())),
            sum(map(len, pools.values())),
            self._number,
        )

    # Supply

    def ready(self, slot: S) -> Match[W, S] | Probe[W, S] | Recall[W] | None:
        """
        A slot can take an exchange.

        @return: what becomes of a waiter of the route.  After a L{Recall} was performed,
            see L{more}.
        """
        offer = slot.offer
        if offer.withheld:
            offer.ready[slot] = None
        elif self._probes and offer.route in self._probes:
            offer.ready[slot] = None
            if len(offer.ready) == 1:
                self._pools.enter(offer)
            return self._recall(offer.route) or self.more(offer.route)
        elif (line := self._lines.get(offer.route)) is not None:
            offer.in_flight += 1
            return self._match(offer.route, line, slot)
        elif offer.ready:
            offer.ready[slot] = None
        else:
            offer.ready[slot] = None
            self._pools.enter(offer)
        return None

    def more(self, route: str) -> Match[W, S] | Probe[W, S] | Recall[W] | None:
        """
        What follows for a route when a L{Recall} was performed.  If it was answered at
        once, the next waiter is recalled, as long as there is a slot for it.  Otherwise the
        slot is free for a waiter without one.
        """
        pool, probes = self._pools.get(route), self._probes.get(route)
        if pool is None:
            return None
        if probes is not None and not probes.recalling and (recall := self._recall(route)):
            return recall
        line = self._lines.get(route)
        return None if line is None else self._match(route, line, self._pools.take(route, pool))

    def withdraw(self, slot: S) -> None:
        """
        A ready slot takes no exchange any more.  Does nothing for a slot that is not ready.
        """
        offer = slot.offer
        if slot in offer.ready:
            del offer.ready[slot]
            if not offer.ready and not offer.withheld:
                self._pools.leave(offer)

    def withdrawAll(self, offer: Offer) -> None:
        """
        Withdraw every ready slot of an instance.
        """
        if offer.ready:
            offer.ready.clear()
            if not offer.withheld:
                self._pools.leave(offer)

    def finish(self, slot: S) -> None:
        """
        The exchange of a match or a probe is over: done, refused or lost.  The slot is not
        ready until the next call of L{ready}.  The waiter of a probe is not held until it
        is offered again.
        """
        offer = slot.offer
        offer.in_flight -= 1
        if offer.watched:
            self._finished(slot, offer)

    def hasLapsed(self, slot: S) -> bool:
        """
        @return: whether the last exchange on a slot was a probe that was over, by
            L{finish}, before it was recalled, and has not been offered again yet.
        """
        probes = self._probes.get(slot.offer.route)
        return probes is not None and probes.hasLapsed(slot)

    def isRecalled(self, slot: S) -> bool:
        """
        @return: whether the probe on a slot, which may be over, was recalled.
        """
        probes = self._probes.get(slot.offer.route)
        return probes is not None and probes.isRecalled(slot)

    def resize(self, offer: Offer, capacity: int) -> Match[W, S] | Probe[W, S] | Recall[W] | None:
        """
        The capacity of an instance has changed.

        @return: see L{more}.
        """
        was_full, offer.capacity, offer.watched = offer.full, capacity, True
        if was_full and not offer.full and offer.ready and not offer.withheld:
            self._pools[offer.route].improve(offer)
        return self.more(offer.route)

    def _finished(self, slot: S, offer: Offer) -> None:
        pool = None
        if offer.ready and not offer.withheld:
            pool = self._pools[offer.route]
            if offer.in_flight == offer.capacity - 1:
                pool.improve(offer)
        probes = self._probes.get(offer.route)
        waiter = None if probes is None else probes.on(slot)
        if waiter is not None:
            self._waiters.release(waiter)
        offer.watched = probes is not None or (pool is not None and len(pool) > 1)

    def _match(self, route: str, line: Line[W], slot: S) -> Match[W, S] | Probe[W, S]:
        """
        Match the first waiter of a line with a slot that was taken.
        """
        waiter = self._waiters.pop(route, line)
        if slot.offer.in_flight <= slot.offer.capacity:
            slot.offer.matched += 1
            return Match(waiter, slot)
        self._waiters.admitAgain(waiter)
        self._waiters.probe(waiter, slot)
        return Probe(waiter, slot)

    def _recall(self, route: str) -> Recall[W] | None:
        """
        Recall the oldest waiter, if it is probed, for a slot below the capacity of another
        instance.  For a slot beyond that, only what stands is recalled, and only if no
        waiter is without a slot.
        """
        probes, pool = self._probes.get(route), self._pools.get(route)
        if probes is None or pool is None:
            return None
        line, best = self._lines.get(route), pool.best()
        if best.full and line is not None:
            return None
        waiter = probes.oldest(best, standing=best.full)
        if waiter is None or (line is not None and line.first().number < waiter.number):
            return None
        probes.recall(waiter)
        self._waiters.release(waiter)
        return Recall(waiter)
