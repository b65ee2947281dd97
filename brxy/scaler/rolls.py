"""
Replacing the instances of a route by newer ones, one at a time, and what else becomes of them
when the settings change.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from enum import Enum

from brxy.scaler.decisions import Decision, RollFailed
from brxy.scaler.fleet import Fleet
from brxy.scaler.instance import Instance, State
from brxy.scaler.learned import Capacities
from brxy.scaler.ledger import Ledger
from brxy.scaler.lifecycle import Lifecycle
from brxy.scaler.orders import Orders
from brxy.scaler.rules import Rulebook

__all__ = ["OnChange", "Reviews", "Rolls"]

# Why a roll can't go on.
NO_SPAWNER = "no spawner for it"


class OnChange(Enum):
    """
    What becomes of the instances of a spawn that starts other ones from now on.
    """

    ROLL = "roll"  # newer ones replace them, one at a time
    NEXT = "next"  # they stay until they leave by themselves
    RESTART = "restart"  # all of them are retired at once


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

    def start(
        self, route: str, now: float, spawns: Container[str | None] | None = None
    ) -> list[Decision]:
        """
        Replace all instances of a route.  If a roll is going on, the instance that it has
        ordered is replaced as well, but replaces an older one first.

        @param spawns: replace those of these spawns only.
        """
        fleet = self._ledger.fleet(route)
        if fleet is None:
            return []
        if not fleet.rules:
            return [RollFailed(route, NO_SPAWNER)]
        before = self._rolls.get(route)
        older = [] if before is None else before.older
        older += [
            each
            for each in fleet.instances.values()
            if not each.retired and (spawns is None or each.spawn in spawns)
        ]
        self._rolls[route] = _Roll(older, None if before is None else before.order)
        return self.advanceOne(route, now)

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
            # The newer one may take fewer exchanges.
            self._orders.recount(newer.route)
            decisions += self._lifecycle.retire(oldest)
        return decisions + self.advanceOne(newer.route, now)

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
            decisions += self.advanceOne(route, now)
        return decisions

    def advanceOne(self, route: str, now: float) -> list[Decision]:
        """
        The roll of a route may go on.
        """
        roll = self._rolls[route]
        if roll.isOver():
            del self._rolls[route]
            return []
        oldest = roll.oldest()
        if roll.order is not None or oldest is None:
            return []
        fleet = self._ledger.fleetFor(route)
        if not fleet.rules:
            del self._rolls[route]
            return [RollFailed(route, NO_SPAWNER)]
        rule = oldest.spawn
        if rule is None or rule not in fleet.rules:
            rule = fleet.rules[0]
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

    @ivar older: the instances to be replaced, the oldest first.
    @ivar order: the newer instance that was ordered and is not ready yet.
    """

    def __init__(self, instances: Iterable[Instance], order: Instance | None) -> None:
        older = dict.fromkeys(instances)
        self.older = sorted(older, key=lambda each: (each.generation, each.ticket))
        self.order = order

    def oldest(self) -> Instance | None:
        """
        The instance to be replaced next, if there is one that is not leaving anyway.
        """
        return next((each for each in self.older if each.state < State.DRAINING), None)

    def isOver(self) -> bool:
        """
        Whether no older instance can serve again.
        """
        return all(each.retired or each.state is State.GONE for each in self.older)


class Reviews:
    """
    What becomes of the instances of a route when other limits hold than before, or others
    start its instances.
    """

    def __init__(
        self,
        ledger: Ledger,
        lifecycle: Lifecycle,
        orders: Orders,
        rolls: Rolls,
        capacities: Capacities,
        book: Rulebook,
    ) -> None:
        """
        @param book: the limits that hold now.
        """
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._orders = orders
        self._rolls = rolls
        self._capacities = capacities
        self._book = book

    def routes(self) -> list[str]:
        """
        The routes that have to be reviewed after a change.
        """
        return [each.route for each in self._ledger.fleets()]

    def review(
        self, route: str, changes: Mapping[str, OnChange], served: bool, now: float
    ) -> list[Decision]:
        """
        Do what follows from a change for one route.  Without any change for it, nothing does.

        @param changes: the spawns that start other instances than before, by name.
        @param served: the route may have instances of spawns.
        """
        decisions: list[Decision] = []
        fleet = self._ledger.fleet(route)
        if fleet is not None:
            decisions += self._forget(fleet, changes)
            decisions += self._retireLeftovers(fleet, changes, served)
            decisions += self._retireExcess(fleet)
            rolling = {name for name, on in changes.items() if on is OnChange.ROLL}
            if any(each.spawn in rolling and not each.retired for each in _instances(fleet)):
                decisions += self._rolls.start(route, now, rolling)
        self._orders.recount(route)
        if self._rolls.isRolling(route):
            # The maximum may have been what it waited for.
            decisions += self._rolls.advanceOne(route, now)
        return [*decisions, *self._orders.settle(now)]

    def finish(self, now: float) -> list[Decision]:
        """
        All routes were reviewed: there may be room for instances that there was not before.
        """
        self._orders.recountShort()
        return [*self._rolls.advance(now), *self._orders.settle(now)]

    def _forget(self, fleet: Fleet, changes: Mapping[str, OnChange]) -> list[Decision]:
        """
        Nothing that is known of the instances of a spawn is true of those that it starts
        from now on.
        """
        decisions: list[Decision] = []
        for name in [each for each in fleet.breakers if each not in fleet.rules]:
            del fleet.breakers[name]
        for name in fleet.rules:
            if name in changes:
                fleet.breakers.pop(name, None)
                decisions += self._capacities.forget(name, fleet.route)
        for each in _instances(fleet):
            if each.spawn in changes or not (each.spawn is None or each.spawn in fleet.rules):
                self._lifecycle.drop(each)
        return decisions

    def _retireLeftovers(
        self, fleet: Fleet, changes: Mapping[str, OnChange], served: bool
    ) -> list[Decision]:
        decisions: list[Decision] = []
        for each in _instances(fleet):
            left = not served or each.spawn not in fleet.rules
            replaced = changes.get(each.spawn or "") is OnChange.RESTART
            if each.spawn is not None and not each.retired and (left or replaced):
                decisions += self._lifecycle.retire(each)
        return decisions

    def _retireExcess(self, fleet: Fleet) -> list[Decision]:
        """
        Retire what exceeds a maximum, but for the one instance that a roll may have ordered:
        those first that do nothing, then the oldest.
        """
        spare = int(self._rolls.isRolling(fleet.route))
        decisions: list[Decision] = []
        for name in fleet.rules:
            mine = [each for each in _instances(fleet) if each.spawn == name and not each.retired]
            excess = len(mine) - spare - self._book.rules[name].max_instances
            mine.sort(key=lambda each: (not self._lifecycle.isIdle(each), each.generation))
            for each in mine[: max(0, excess)]:
                decisions += self._lifecycle.retire(each)
        return decisions


def _instances(fleet: Fleet) -> list[Instance]:
    return list(fleet.instances.values())
