"""
Hold timeouts of routes that have one of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from brxy.edge.routing.settings import RoutedHosts
from brxy.values.routepattern import canonical

__all__ = ["HoldTimes"]

# Routes that are remembered, with their times.
_REMEMBERED = 1024


class HoldTimes:
    """
    The hold timeouts of routes.
    """

    def __init__(self, default: str, routes: Iterable[RoutedHosts] = ()) -> None:
        """
        @param default: the route of all addresses and C{localhost}.
        """
        self._default = default
        self._times: dict[str, float] = {}
        for each in routes:
            self.add(each)

    def add(self, routed: RoutedHosts) -> None:
        """
        Add a route.
        """
        timeout = routed.settings.hold_timeout
        if timeout is not None:
            self._times[canonical(routed.name, self._default)] = timeout

    @property
    def find(self) -> Callable[[str], float | None] | None:
        """
        Returns the time of a route in seconds, or L{None} for that of all; L{None} if no route
        has its own.
        """
        return lru_cache(_REMEMBERED)(self._find) if self._times else None

    def _find(self, route: str) -> float | None:
        return next((self._times[key] for key in _keys(route) if key in self._times), None)


def _keys(route: str) -> Iterator[str]:
    """
    A route and the patterns that have it, the most specific first.
    """
    yield route
    rest = route
    while rest := rest.partition(".")[2]:
        yield f"*.{rest}"
    yield "*"
