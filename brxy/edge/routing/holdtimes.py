"""
Hold timeouts of routes that have one of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from brxy.edge.routing.settings import RoutedHosts
from brxy.values.routepattern import canonical

__all__ = ["holdTimeouts"]

# Routes that are remembered, with their times.
_REMEMBERED = 1024


def holdTimeouts(
    routes: Iterable[RoutedHosts], default: str
) -> Callable[[str], float | None] | None:
    """
    Find the hold timeouts of routes.

    @param default: the route of all addresses and C{localhost}.
    @return: returns the time of a route in seconds, or L{None} for the time of all; L{None} if no
        route has its own.
    """
    times = {
        canonical(each.name, default): each.settings.hold_timeout
        for each in routes
        if each.settings.hold_timeout is not None
    }

    def find(route: str) -> float | None:
        return next((times[key] for key in _keys(route) if key in times), None)

    return lru_cache(_REMEMBERED)(find) if times else None


def _keys(route: str) -> Iterator[str]:
    """
    A route and the patterns that have it, the most specific first.
    """
    yield route
    rest = route
    while rest := rest.partition(".")[2]:
        yield f"*.{rest}"
    yield "*"
