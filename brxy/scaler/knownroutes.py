"""
Routes that are known to be wanted.
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["KnownRoutes"]


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

    def __init__(self, named: Collection[str]) -> None:
        """
        @param named: the routes that the settings name.
        """
        self._named = frozenset(named)
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
