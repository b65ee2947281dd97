"""
Patterns of routes: which routes a pattern covers, and to which route a name belongs.

Pure: strings in, strings and truths out.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from brxy.values.routename import isAddressOrLocalhost

__all__ = ["PatternIndex", "canonical", "covers"]

_T = TypeVar("_T")


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


class PatternIndex(Generic[_T]):
    """
    Finds the patterns that cover a route without a look at each of them.
    """

    def __init__(self) -> None:
        self._number = 0
        # By the route, or by what routes end with; L{None} for all routes.
        self._items: dict[str | None, list[tuple[int, _T]]] = {}

    def add(self, pattern: str | None, item: _T) -> None:
        """
        Add an item, behind all others.

        @param pattern: of the routes that it is for, see L{covers}.
        """
        wide = pattern is not None and pattern.startswith("*.")
        key = pattern[1:] if wide and pattern is not None else pattern
        self._number += 1
        self._items.setdefault(key, []).append((self._number, item))

    def has(self, pattern: str) -> bool:
        """
        Whether there is an item with exactly this pattern.
        """
        return (pattern[1:] if pattern.startswith("*.") else pattern) in self._items

    def covers(self, route: str) -> bool:
        """
        Whether any pattern covers a route.
        """
        items = self._items
        if route in items or None in items:
            return True
        at = route.find(".")
        while at >= 0:
            if route[at:] in items:
                return True
            at = route.find(".", at + 1)
        return False

    def find(self, route: str) -> list[_T]:
        """
        The items whose patterns cover a route, in the order in which they were added.
        """
        keys: list[str | None] = [None, route]
        keys += [route[at:] for at, letter in enumerate(route) if letter == "."]
        found = [entry for key in keys for entry in self._items.get(key, ())]
        return [item for _, item in sorted(found, key=lambda entry: entry[0])]
