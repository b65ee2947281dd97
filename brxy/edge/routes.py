"""
The route of a request, and whether anything may serve it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

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
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """
        @param listed: the routes that are served; if empty, the spawners and nodes
            determine that.
        @param patterns: the C{route=} of each spawner, L{None} for all routes.
        @param default: the route of all addresses and C{localhost}.
        @param default_for_all: C{default} is also the route of every host that neither
            C{listed} nor a pattern names.
        @param present: whether a route has an instance now.
        @param aliases: the routes of hosts, and of patterns of hosts, that lead to them.
        """
        self._default = default
        self._default_for_all = default_for_all
        self._listed = frozenset(canonical(name, default) for name in listed)
        self._all = None in patterns or not (listed or patterns)
        self._patterns = [canonical(name, default) for name in patterns if name is not None]
        self._present = present
        self._aliases = {each: each for each in (*listed, *patterns) if each} if aliases else {}
        self._aliases.update(aliases or {})

    def route(self, host: str) -> str | None:
        """
        The route of a request; L{None} if the answer is a 404.

        @param host: a valid host name or address without a port; empty for a request
            without Host.
        """
        route = self._default
        if self._aliases:
            host = self._target(host)
        if (
            host
            and not isAddressOrLocalhost(host)
            and (not self._default_for_all or self._isNamed(host))
        ):
            route = host
        return route if self._isServed(route) else None

    def _target(self, host: str) -> str:
        """
        The host to which a host leads: itself, unless the longest pattern that has it is an alias.
        """
        found = self._aliases.get(host)
        rest = host
        while found is None and rest:
            # From the longest pattern to the shortest.
            rest = rest.partition(".")[2]
            found = self._aliases.get(f"*.{rest}")
        return host if found is None or found.startswith("*.") else found

    def _isNamed(self, route: str) -> bool:
        return route in self._listed or any(covers(each, route) for each in self._patterns)

    def _isServed(self, route: str) -> bool:
        if self._listed:
            chosen = self._default_for_all and route == self._default
            return chosen or route in self._listed
        return self._all or self._isNamed(route) or self._present(route)
