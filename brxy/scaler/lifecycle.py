"""
Changes of instances, and what follows from them: which instance is the newest, and
whether an order was a success.
"""

from __future__ import annotations

from brxy.scaler.decisions import Decision, Newest, Retire, Stop
from brxy.scaler.fleet import Fleet
from brxy.scaler.instance import Change, Instance, State
from brxy.scaler.learned import Capacities
from brxy.scaler.ledger import Ledger

__all__ = ["PROVEN", "Lifecycle"]

# An instance that was ready for this long (seconds) works.
PROVEN = 1.0


class Lifecycle:
    """
    Changes the states of the instances of a ledger.
    """

    def __init__(self, ledger: Ledger, capacities: Capacities, grace: float) -> None:
        """
        @param capacities: what instances take that learn.
        @param grace: how long an instance without slots still counts.
        """
        self._ledger = ledger
        self._capacities = capacities
        self._grace = grace

    # What it offers

    def offers(self, instance: Instance, now: float) -> int:
        """
        How many more exchanges an instance can take, now or once it is ready, whether
        or not all its slots are open yet.
        """
        if instance.offer.suspended or not self.isAlive(instance, now):
            return 0
        return self._capacities.offers(instance, now)

    def isAlive(self, instance: Instance, now: float) -> bool:
        """
        Whether an instance serves, or is going to.
        """
        return instance.state < State.DRAINING and not self.isCutOff(instance, now)

    def countAlive(self, fleet: Fleet, now: float) -> int:
        """
        How many instances of a route serve, or are going to.
        """
        return sum(self.isAlive(each, now) for each in fleet.instances.values())

    def isCutOff(self, instance: Instance, now: float) -> bool:
        """
        Whether an instance has been without slots for longer than the grace.
        """
        return instance.lost_at is not None and now >= instance.lost_at + self._grace

    def isIdle(self, instance: Instance) -> bool:
        """
        Whether an instance has nothing to do.  A ready slot means that its route has no
        waiters.
        """
        return (
            instance.state is State.READY
            and not instance.offer.in_flight
            and bool(instance.offer.ready)
            and not instance.offer.suspended
        )

    # From state to state

    def connect(self, instance: Instance) -> list[Decision]:
        """
        The node of an instance has dialled in, or the edge knows its address.
        """
        if not instance.change(Change.REACHED):
            return []
        if instance.spawn is None or (instance.judged and not instance.watched):
            # No exchange waits for it.
            instance.startBy(None)
        return [*self._flag(instance.route)]

    def ready(self, instance: Instance, now: float) -> list[Decision]:
        """
        An instance serves.
        """
        instance.change(Change.READY)
        self._capacities.ready(instance)
        instance.serves(now)
        return [*self._flag(instance.route)]

    def drain(self, instance: Instance, change: Change) -> list[Decision]:
        """
        An instance takes no new exchanges.

        @param change: why.
        """
        instance.change(change)
        return [*self._flag(instance.route)]

    def retire(self, instance: Instance) -> list[Decision]:
        """
        Have an instance finish its exchanges and end.  If it is not known yet whether it
        works, it never will be.
        """
        decisions: list[Decision] = []
        if instance.state > State.ORDERED:
            decisions.append(Retire(instance))
        elif instance.watched:
            decisions.append(Stop(instance, "not needed any more"))
        self.drop(instance)
        decisions += self.drain(instance, Change.RETIRED)
        if instance.lost_at is not None:
            # There is no slot over which that could be sent now.
            instance.change(Change.DISCONNECTED)
        return decisions

    def remove(self, instance: Instance, reason: str, now: float) -> list[Decision]:
        """
        Nothing is left of an instance.
        """
        died_at = now if instance.lost_at is None else instance.lost_at
        if instance.ready_since is None or died_at < instance.ready_since + PROVEN:
            self.fail(instance, reason, now)
        else:
            self.succeed(instance, now)
        self._ledger.remove(instance)
        return [*self._flag(instance.route)]

    def _flag(self, route: str) -> list[Newest]:
        """
        Make the right instance of a route the newest.
        """
        fleet = self._ledger.fleetFor(route)
        before, after = fleet.newest, fleet.candidate()
        decisions: list[Newest] = []
        if before is not after:
            fleet.newest = after
            if before is not None:
                before.setNewest(False)
                if before.state is not State.GONE:
                    decisions.append(Newest(before, False))
            if after is not None:
                after.setNewest(True)
                decisions.append(Newest(after, True))
        return decisions

    # Whether its order was a success

    def prove(self, instance: Instance, now: float) -> bool:
        """
        An instance that has been ready for a while, and has slots, works.

        @return: see L{succeed}.
        """
        since = instance.ready_since
        if since is None or now < since + PROVEN or instance.lost_at is not None:
            return False
        return self.succeed(instance, now)

    def succeed(self, instance: Instance, now: float) -> bool:
        """
        An instance works.

        @return: whether that has closed the breaker of its spawn: waiters may need
            more instances than the canary.
        """
        if not instance.judge() or instance.spawn is None:
            return False
        breaker = self._ledger.fleetFor(instance.route).breaker(instance.spawn)
        return breaker.succeeded(now)

    def fail(self, instance: Instance, reason: str, now: float) -> None:
        """
        An instance does not work, unless it is known to.
        """
        if instance.judge() and instance.spawn is not None:
            breaker = self._ledger.fleetFor(instance.route).breaker(instance.spawn)
            breaker.failed(instance.ticket, reason, now)

    def drop(self, instance: Instance) -> None:
        """
        Whatever becomes of an instance, it says nothing about new orders.
        """
        if instance.judge() and instance.spawn is not None:
            breaker = self._ledger.fleetFor(instance.route).breaker(instance.spawn)
            breaker.dropped(instance.ticket)
