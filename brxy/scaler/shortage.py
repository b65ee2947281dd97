"""
Who wants more instances than the global maximum leaves room for.
"""

from __future__ import annotations

from itertools import chain, islice

from brxy.scaler.instance import Instance

__all__ = ["Shortage"]


class Shortage:
    """
    The routes that lack room and the idle instances that are leaving to make it.
    First those of standing (see L{brxy.scaler.knownroutes}), first come first, then the
    others.
    """

    def __init__(self) -> None:
        self._lacking: dict[str, int] = {}
        self._known_routes: dict[str, int] = {}
        self._total = 0
        self._leaving: set[Instance] = set()

    def add(self, route: str, instances: int, standing: bool = True) -> None:
        """
        A route lacks room for so many instances; it stands last in line.

        @param standing: it is of standing.
        """
        self.remove(route)
        self._lacking[route] = instances
        self._total += instances
        if standing:
            self._known_routes[route] = instances

    def remove(self, route: str) -> bool:
        """
        A route lacks nothing, as far as is known.

        @return: whether it did.
        """
        self._known_routes.pop(route, None)
        lacked = self._lacking.pop(route, 0)
        self._total -= lacked
        return lacked > 0

    def first(self, number: int) -> list[str]:
        """
        The routes that are to be looked at when there is room for so many
        instances.
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

    def leaving(self, instance: Instance) -> None:
        """
        An instance was retired to make room.
        """
        self._leaving.add(instance)

    def left(self, instance: Instance) -> None:
        """
        An instance is gone.
        """
        self._leaving.discard(instance)

    def unmet(self, standing: bool = False) -> int:
        """
        How many more have to leave.

        @param standing: for the routes of standing alone.
        """
        total = sum(self._known_routes.values()) if standing else self._total
        return max(0, total - len(self._leaving))
