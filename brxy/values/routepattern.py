"""
Patterns of routes: which routes a pattern covers, and which route a name belongs to.

Pure: strings in, strings and truths out.
"""

from __future__ import annotations

from brxy.values.routename import isAddressOrLocalhost

__all__ = ["canonical", "covers"]


def covers(pattern: str | None, route: str) -> bool:
    """
    Whether a spawner's C{route=} means this route.

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
    The route behind a name: all addresses and C{localhost} are the default one.
    """
    return default if isAddressOrLocalhost(name) else name
