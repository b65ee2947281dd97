"""
Patterns of routes: which routes a pattern covers, and to which route a name belongs.

Pure: strings in, strings and truths out.
"""

from __future__ import annotations

from brxy.values.routename import isAddressOrLocalhost

__all__ = ["canonical", "covers"]


def covers(pattern: str | None, route: str) -> bool:
    """
    Whether a spawner's C{route=} includes this route.

    @param pattern: a route, C{*.example.com} for all below that name, or
        L{None} for every route.
    """
    if pattern is None:
        return True
    if pattern.startswith("*."):
        return route.endswith(pattern[1:])
    return route == pattern


def canonical(name: str, default: str) -> str:
    """
    Return the route of a name: the default route for all addresses and C{localhost}.
    """
    return default if isAddressOrLocalhost(name) else name
