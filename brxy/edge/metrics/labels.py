"""
The routes as values of labels: few, whatever hosts clients name.
"""

from __future__ import annotations

from collections.abc import Collection

from brxy.edge.metrics.metric import OTHER
from brxy.values.routepattern import covers

__all__ = ["RouteLabels"]

# Names that are remembered with their labels, since clients may make up any number of them.
_REMEMBERED = 10_000


class RouteLabels:
    """
    The value of the label C{route} for each route.

    A route that the settings name has a label of its own, one that only a pattern covers
    the pattern, and all others L{OTHER}.  At most a given number of routes have their own
    label: those that are used first.
    """

    def __init__(self, most: int) -> None:
        """
        @param most: the maximum of routes with a label of their own.
        """
        self._most = most
        self._named: frozenset[str] = frozenset()
        self._patterns: tuple[str, ...] = ()
        self._own: set[str] = set()
        self._known: dict[str, str] = {}

    def use(self, named: Collection[str], patterns: Collection[str]) -> None:
        """
        Take the routes from the settings, which may have changed.

        @param named: the routes that are named.
        @param patterns: the patterns, such as C{*.example.com}.
        """
        self._named = frozenset(named)
        # The longest first: it says most of the route.
        self._patterns = tuple(sorted(set(patterns), key=lambda each: (-len(each), each)))
        self._known.clear()

    def of(self, route: str) -> str:
        """
        The label of a route.
        """
        label = self._known.get(route)
        if label is None:
            label = self._find(route)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[route] = label
        return label

    def _find(self, route: str) -> str:
        if route in self._named:
            if route not in self._own and len(self._own) >= self._most:
                return OTHER
            self._own.add(route)
            return route
        return next((each for each in self._patterns if covers(each, route)), OTHER)
