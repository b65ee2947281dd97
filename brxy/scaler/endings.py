"""
The ends of instances: by themselves, given up, or lost.
"""

from __future__ import annotations

from brxy.scaler.decisions import Buried, Decision, Retire, Stop
from brxy.scaler.fleet import Fleet
from brxy.scaler.instance import Change, Instance, State
from brxy.scaler.ledger import Ledger
from brxy.scaler.lifecycle import Lifecycle
from brxy.scaler.orders import Orders
from brxy.scaler.rolls import Rolls
from brxy.scaler.rules import Rulebook

__all__ = ["Endings", "isSettled"]


class Endings:
    """
    Removes instances from the ledger, and finds those that are due to end.
    """

    def __init__(
        self,
        ledger: Ledger,
        lifecycle: Lifecycle,
        orders: Orders,
        rolls: Rolls,
        book: Rulebook,
    ) -> None:
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._orders = orders
        self._rolls = rolls
        self._book = book

    def hasLeft(self, instance: Instance) -> bool:
        """
        Whether an instance whose end no spawner will report has drained, and closed its
        slots.
        """
        return (
            not instance.watched
            and instance.state is State.DRAINING
            and instance.lost_at is not None
        )

    def leave(self, instance: Instance, reason: str, now: float) -> list[Decision]:
        """
        An instance has ended after it drained, which is no failure however young it was.
        """
        self._lifecycle.succeed(instance, now)
        return self.bury(instance, reason, now)

    def bury(self, instance: Instance, reason: str, now: float) -> list[Decision]:
        """
        Nothing is left of an instance: another route may need its place.
        """
        decisions: list[Decision] = [Buried(instance, reason)]
        decisions += self._lifecycle.remove(instance, reason, now)
        decisions += self._rolls.failed(instance, reason)
        self._orders.recount(instance.route)
        decisions += self._rolls.advance(now)
        self._orders.instanceGone(instance)
        self._ledger.forget(self._ledger.fleetFor(instance.route), now)
        return decisions

    def check(self, instance: Instance, now: float) -> list[Decision]:
        """
        Do what time has brought to an instance; it may be nothing.
        """
        if instance.start_by is not None and now >= instance.start_by:
            return self._giveUp(instance, now)
        if not self._lifecycle.isCutOff(instance, now):
            self.prove(instance, now)
            return []
        if not instance.watched:
            return self.bury(instance, "its last slot was lost", now)
        if instance.retired:
            return [Stop(instance, "retired, and its last slot was lost")]
        self._orders.recount(instance.route)
        return []

    def prove(self, instance: Instance, now: float) -> None:
        """
        An instance may have been ready for long enough to say that it works.
        """
        if self._lifecycle.prove(instance, now):
            self._orders.recount(instance.route)

    def _giveUp(self, instance: Instance, now: float) -> list[Decision]:
        """
        An order is not ready in time.
        """
        instance.startBy(None)
        reason = self._lateness(instance)
        if not instance.watched and not instance.slots:
            return self.bury(instance, reason, now)
        if instance.retired:
            return []
        self._lifecycle.fail(instance, reason, now)
        order = Stop(instance, reason, True) if instance.watched else Retire(instance)
        self._orders.recount(instance.route)
        return [
            order,
            *self._lifecycle.drain(instance, Change.GIVEN_UP),
            *self._rolls.failed(instance, reason),
        ]

    def _lateness(self, instance: Instance) -> str:
        # Only one of an earlier run has had a node, or is adopted, before it is reached.
        earlier = instance.adopted or instance.node_id is not None
        if earlier and instance.state is State.ORDERED:
            return "not back after the restart of the edge"
        return f"not ready within {self._book.start_timeout:g} s"


def isSettled(what: Instance | Fleet) -> bool:
    """
    Whether time brings nothing more to this, unless something happens to it.
    """
    if isinstance(what, Fleet):
        return False
    if what.state is State.GONE:
        return True
    return what.judged and what.start_by is None and what.lost_at is None
