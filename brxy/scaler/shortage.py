"""
The routes that need more instances than the global maximum allows, those of them for
which instances of others have to go, and those that must have some.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import chain, islice

from attrs import frozen

from brxy.scaler.decisions import Decision
from brxy.scaler.fleet import Fleet
from brxy.scaler.instance import Instance
from brxy.scaler.ledger import Ledger
from brxy.scaler.lifecycle import Lifecycle

__all__ = ["Floors", "KnownRoutes", "RoomMaker", "Shortage"]


class KnownRoutes:
    """
    Distinguishes routes that are wanted from names that a scanner made up.

    A route is known if the settings name it, or if it has served before.  At the global
    maximum, idle instances are retired only for a known route, or for one of the same
    client.
    """

    #: The maximum of routes that are remembered because they have served.  Beyond it, the
    #: one that served longest ago is forgotten.
    MOST = 1000

    def __init__(self, named: Container[str]) -> None:
        """
        @param named: the routes that the settings name.
        """
        self._named = named
        self._served: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._served)

    def __contains__(self, route: str) -> bool:
        return route in self._named or route in self._served

    def isNamed(self, route: str) -> bool:
        """
        Whether the settings name this route.
        """
        return route in self._named

    def served(self, route: str) -> None:
        """
        An instance of this route is gone that had served.
        """
        self._served.pop(route, None)
        self._served[route] = None
        if len(self._served) > self.MOST:
            del self._served[next(iter(self._served))]


class Shortage:
    """
    The routes that lack room, and the instances that were retired to make room.

    Known routes (see L{KnownRoutes}) come before the others, and each kind in
    order of its coming.
    """

    def __init__(self) -> None:
        self._lacking: dict[str, int] = {}
        self._known_routes: dict[str, int] = {}
        self._total = 0
        self._leaving: set[Instance] = set()

    def add(self, route: str, instances: int, known: bool = True) -> None:
        """
        A route lacks room; it comes last.

        @param instances: for how many instances.
        @param known: it is a known route.
        """
        self.remove(route)
        self._lacking[route] = instances
        self._total += instances
        if known:
            self._known_routes[route] = instances

    def remove(self, route: str) -> bool:
        """
        A route lacks no room.

        @return: whether it did.
        """
        self._known_routes.pop(route, None)
        lacked = self._lacking.pop(route, 0)
        self._total -= lacked
        return lacked > 0

    def first(self, number: int) -> list[str]:
        """
        The routes whose turn it is when there is room.

        @param number: for how many instances.
        """
        others = (route for route in self._lacking if route not in self._known_routes)
        return list(islice(chain(self._known_routes, others), number))

    def __bool__(self) -> bool:
        return bool(self._lacking)

    def lacks(self, route: str) -> bool:
        """
        Whether this route lacks room.
        """
        return route in self._lacking

    def instanceRetired(self, instance: Instance) -> None:
        """
        An instance was retired to make room.
        """
        self._leaving.add(instance)

    def instanceGone(self, instance: Instance) -> None:
        """
        An instance is gone.
        """
        self._leaving.discard(instance)

    def unmet(self, known: bool = False) -> int:
        """
        How many more instances have to be retired.

        @param known: count the known routes alone.
        """
        total = sum(self._known_routes.values()) if known else self._total
        return max(0, total - len(self._leaving))


@frozen
class _Floor:
    number: int
    until: float


class Floors:
    """
    The routes that have a minimum of instances now.
    """

    def __init__(self) -> None:
        self._floors: dict[str, _Floor] = {}

    def set(self, route: str, number: int, until: float) -> None:
        """
        Have at least this many instances of a route until a time, in place of what was
        set before.  The demand of the route must be counted then.
        """
        if number:
            self._floors[route] = _Floor(number, until)
        else:
            self._floors.pop(route, None)

    def clear(self) -> None:
        """
        No route must have any from now on.
        """
        self._floors.clear()

    def routes(self) -> list[str]:
        """
        @return: the routes that must have some, or had to a while ago.
        """
        return list(self._floors)

    def number(self, route: str, now: float) -> int:
        """
        @return: how many instances a route must have now.
        """
        floor = self._floors.get(route)
        if floor is None:
            return 0
        if floor.until <= now:
            del self._floors[route]
            return 0
        return floor.number


class RoomMaker:
    """
    Chooses which instances end so that another route may have one.
    """

    def __init__(
        self, ledger: Ledger, lifecycle: Lifecycle, known_routes: KnownRoutes, floors: Floors
    ) -> None:
        """
        @param floors: the routes that must have some instances in any case.
        """
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._known_routes = known_routes
        self._floors = floors

    def make(self, fleet: Fleet, shortage: Shortage, now: float) -> list[Decision]:
        """
        Retire idle instances of routes that lack no room: those that are not the newest
        first, of these those of later spawns, then older ones.
        """
        known = fleet.route in self._known_routes
        number = shortage.unmet(known)
        if not number:
            return []
        idle = [
            each
            for each in self._ledger.instances()
            if self._lifecycle.isIdle(each)
            and not shortage.lacks(each.route)
            and (known or self._isOfSameWaker(each, fleet))
        ]
        idle.sort(key=lambda each: (each.newest, -each.rank, each.generation))
        decisions: list[Decision] = []
        for instance in idle:
            # Another one of its route may have been retired a moment ago.
            if number and not self._isKept(instance, now):
                number -= 1
                shortage.instanceRetired(instance)
                decisions += self._lifecycle.retire(instance)
        return decisions

    def _isOfSameWaker(self, instance: Instance, fleet: Fleet) -> bool:
        """
        Whether the same client woke this route and that of the instance: for a route that
        is not known, no other instance has to go.
        """
        other = self._ledger.fleet(instance.route)
        return other is not None and other.waker == fleet.waker

    def _isKept(self, instance: Instance, now: float) -> bool:
        """
        Whether its route has no instance beyond its minimum.
        """
        floor = self._floors.number(instance.route, now)
        if not floor:
            return False
        return self._lifecycle.countAlive(self._ledger.fleetFor(instance.route), now) <= floor
