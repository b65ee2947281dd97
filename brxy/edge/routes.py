"""
The route of a request, and whether anything may serve it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from brxy.values.routename import isAddressOrLocalhost
from brxy.values.routepattern import PatternIndex, canonical

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
        @param aliases: the routes of hosts, and of patterns of hosts, that lead to them; for the
            name of a route that no host has, C{""}.
        """
        self._default = default
        self._default_for_all = default_for_all
        self._listed: set[str] = set()
        self._patterns: PatternIndex[None] = PatternIndex()
        self._all = True
        self._for_all = False
        self._present = present
        self._aliases = dict(aliases or {})
        for name in listed:
            self.list(name)
        for pattern in patterns:
            self.add(pattern)

    def list(self, name: str) -> None:
        """
        Only the routes that are listed are served.
        """
        self._listed.add(canonical(name, self._default))
        self._all = self._for_all
        self._lead(name)

    def add(self, pattern: str | None) -> None:
        """
        A spawner is for these routes.
        """
        if pattern is None:
            self._for_all = True
        else:
            self._patterns.add(canonical(pattern, self._default), None)
            self._lead(pattern)
        self._all = self._for_all

    def _lead(self, name: str) -> None:
        # It is looked up only if any host leads to another route.
        if self._aliases:
            self._aliases.setdefault(name, name)

    @property
    def default(self) -> str:
        """
        The route of all addresses and C{localhost}.
        """
        return self._default

    def leads(self, name: str) -> bool:
        """
        @return: whether the settings have a route for exactly this host or pattern.
        """
        found = self._aliases.get(name)
        if found is not None:
            return found != ""
        return name in self._listed or self._patterns.has(name)

    def adopt(self, other: RouteTable) -> RouteTable:
        """
        Find routes as another table does.

        @return: a table that finds them as this one did before.
        """
        before = RouteTable((), (), "", False, self._present)
        for target, source in ((before, self), (self, other)):
            target._default, target._default_for_all = source._default, source._default_for_all
            target._listed, target._patterns = source._listed, source._patterns
            target._all, target._for_all = source._all, source._for_all
            target._aliases = source._aliases
        return before

    def route(self, host: str) -> str | None:
        """
        The route of a request; L{None} if the answer is a 404.

        @param host: a valid host name or address without a port; empty for a request
            without Host.
        """
        route = self._default
        if self._aliases and host:
            host = self._target(host)
            if not host and not self._default_for_all:
                return None
        if (
            host
            and not isAddressOrLocalhost(host)
            and (not self._default_for_all or self._isNamed(host))
        ):
            route = host
        return route if self._isServed(route) else None

    def _target(self, host: str) -> str:
        """
        The host to which a host leads: itself, unless the longest pattern that has it is an alias;
        C{""} if it is only the name of a route.
        """
        found = self._aliases.get(host)
        if found is None and isAddressOrLocalhost(host):
            found = self._aliases.get("localhost")
        rest = host
        while found is None and rest:
            # From the longest pattern to the shortest.
            rest = rest.partition(".")[2]
            found = self._aliases.get(f"*.{rest}" if rest else "*")
        return host if found is None or found.startswith("*.") else found

    def _isNamed(self, route: str) -> bool:
        return route in self._listed or self._patterns.covers(route)

    def serves(self, route: str) -> bool:
        """
        Whether the settings say that a route is served, whatever instances there are.
        """
        if self._listed:
            chosen = self._default_for_all and route == self._default
            return chosen or route in self._listed
        return self._all or self._isNamed(route)

    def _isServed(self, route: str) -> bool:
        return self.serves(route) or (not self._listed and self._present(route))
