"""
The route of a request, and whether anything may serve it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from brxy.values.routename import isAddressOrLocalhost
from brxy.values.routepattern import canonical, covers

__all__ = ["RouteTable"]


class RouteTable:
    """
    Finds the route of a host, and refuses hosts that are not served.
    """

    def __init__(
        self,
        listed: Collection[str],
        patterns: Collection[str | None],
        default: str,
        default_for_all: bool,
        present: Callable[[str], bool],
    ) -> None:
        """
        @param listed: the routes that are served; if empty, the spawners and nodes
            determine that.
        @param patterns: the C{route=} of each spawner, L{None} for all routes.
        @param default: the route of all addresses and C{localhost}.
        @param default_for_all: C{default} is also the route of every host that neither
            C{listed} nor a pattern names.
        @param present: whether a route has an instance now.
        """
        self._default = default
        self._default_for_all = default_for_all
        self._listed = frozenset(canonical(name, default) for name in listed)
        self._all = None in patterns or not (listed or patterns)
        self._patterns = [canonical(name, default) for name in patterns if name is not None]
        self._present = present

    def route(self, host: str) -> str | None:
        """
        The route of a request; L{None} if the answer is a 404.

        @param host: a valid host name or address without a port; empty for a request
            without Host.
        """
        route = self._default
        if (
            host
            and not isAddressOrLocalhost(host)
            and (not self._default_for_all or self._isNamed(host))
        ):
            route = host
        return route if self._isServed(route) else None

    def _isNamed(self, route: str) -> bool:
        return route in self._listed or any(covers(each, route) for each in self._patterns)

    def _isServed(self, route: str) -> bool:
        if self._listed:
            chosen = self._default_for_all and route == self._default
            return chosen or route in self._listed
        return self._all or self._isNamed(route) or self._present(route)
