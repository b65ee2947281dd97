"""
Who may push others out.
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["KnownRoutes"]


class KnownRoutes:
    """
    Tells the routes that somebody means from the names that a scanner makes up.

    A route is of standing when it was named to the edge, or has served before.  Only
    such a route may have the idle instances of others retired at the global maximum.
    """

    #: Names that are remembered; of more, those that served longest ago are forgotten.
    MOST = 1000

    def __init__(self, named: Collection[str]) -> None:
        """
        @param named: the routes that were named to the edge.
        """
        self._named = frozenset(named)
        self._served: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._served)

    def __contains__(self, route: str) -> bool:
        return route in self._named or route in self._served

    def isNamed(self, route: str) -> bool:
        """
        Whether the edge was told of this route.
        """
        return route in self._named

    def served(self, route: str) -> None:
        """
        An instance of this route is gone that had answered.
        """
        self._served.pop(route, None)
        self._served[route] = None
        if len(self._served) > self.MOST:
            del self._served[next(iter(self._served))]
