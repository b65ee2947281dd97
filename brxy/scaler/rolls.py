"""
Replacing the instances of a route by newer ones, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterable

from brxy.scaler.decisions import Decision, RollFailed
from brxy.scaler.instance import Instance, State
from brxy.scaler.ledger import Ledger
from brxy.scaler.lifecycle import Lifecycle
from brxy.scaler.orders import Orders

__all__ = ["Rolls"]


class Rolls:
    """
    The rolls that are going on, at most one for each route.
    """

    def __init__(self, ledger: Ledger, lifecycle: Lifecycle, orders: Orders) -> None:
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._orders = orders
        self._rolls: dict[str, _Roll] = {}

    def routes(self) -> frozenset[str]:
        """
        The routes whose instances are being replaced.
        """
        return frozenset(self._rolls)

    def isRolling(self, route: str) -> bool:
        """
        Whether the instances of a route are being replaced.
        """
        return route in self._rolls

    def start(self, route: str, now: float) -> list[Decision]:
        """
        Replace all instances of a route.  If a roll is going on, the instance that it has
        ordered is replaced as well, but replaces an older one first.
        """
        fleet = self._ledger.fleet(route)
        if fleet is None:
            return []
        if not fleet.rules:
            return [RollFailed(route, "no spawner for it")]
        before = self._rolls.get(route)
        order = None if before is None else before.order
        self._rolls[route] = _Roll(fleet.instances.values(), order)
        return self._advance(route, now)

    def ready(self, newer: Instance, now: float) -> list[Decision]:
        """
        An instance is ready: if a roll waits for it, an older one is retired.
        """
        roll = self._rolls.get(newer.route)
        if roll is None or roll.order is not newer:
            return []
        roll.order = None
        oldest = roll.oldest()
        decisions: list[Decision] = []
        if oldest is not None and oldest is not newer:
            decisions += self._lifecycle.retire(oldest)
        return decisions + self._advance(newer.route, now)

    def failed(self, instance: Instance, reason: str) -> list[Decision]:
        """
        An instance will not serve: if a roll waits for it, the roll has failed.
        """
        roll = self._rolls.get(instance.route)
        if roll is None or roll.order is not instance:
            return []
        del self._rolls[instance.route]
        return [RollFailed(instance.route, reason)]

    def advance(self, now: float) -> list[Decision]:
        """
        An instance is gone: any roll may have room for its next step.
        """
        decisions: list[Decision] = []
        for route in list(self._rolls):
            decisions += self._advance(route, now)
        return decisions

    def _advance(self, route: str, now: float) -> list[Decision]:
        roll = self._rolls[route]
        if roll.isOver():
            del self._rolls[route]
            return []
        oldest = roll.oldest()
        if roll.order is not None or oldest is None:
            return []
        fleet = self._ledger.fleetFor(route)
        rule = fleet.rules[0] if oldest.spawn is None else oldest.spawn
        if not self._orders.mayExceed(fleet, rule):
            return []
        breaker = fleet.breaker(rule)
        if breaker.mayOrder(now) == 0:
            del self._rolls[route]
            return [RollFailed(route, breaker.reason)]
        spawn = self._orders.spawn(fleet, rule, now)
        roll.order = spawn.instance
        return [spawn]


class _Roll:
    """
    One roll.

    @ivar order: the newer instance that was ordered and is not ready yet.
    """

    def __init__(self, instances: Iterable[Instance], order: Instance | None) -> None:
        older = [each for each in instances if not each.retired]
        self._older = sorted(older, key=lambda each: (each.generation, each.ticket))
        self.order = order

    def oldest(self) -> Instance | None:
        """
        The instance to be replaced next, if there is one that is not leaving anyway.
        """
        return next((each for each in self._older if each.state < State.DRAINING), None)

    def isOver(self) -> bool:
        """
        Whether no older instance can serve again.
        """
        return all(each.retired or each.state is State.GONE for each in self._older)
