"""
Finds the route of a request of which more than the host counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from brxy.edge.routing.handling import Handling
from brxy.edge.routing.paths import hasDotSegment, isPlain, joined, matches, pathOf, readings
from brxy.edge.routing.settings import RoutedHosts
from brxy.errors import BadRequest
from brxy.http.messages import RequestHead
from brxy.values.routename import isAddressOrLocalhost

__all__ = ["HostRoutes", "RequestRouter"]

# Of all addresses, localhost, and requests without a host.
_LOCAL = "localhost"

# Hosts that are remembered, with what is for them.
_REMEMBERED = 1024

# As if there were no settings.
_PLAIN = Handling()


class HostRoutes(Protocol):
    """
    Finds routes by hosts alone.

    @ivar default: the route of all addresses and C{localhost}.
    """

    @property
    def default(self) -> str: ...

    def route(self, host: str) -> str | None:
        """
        @return: the route of a host; L{None} if the answer is a 404.
        """

    def leads(self, name: str) -> bool:
        """
        @return: whether the settings have a route for exactly this host or pattern.
        """


class RequestRouter:
    """
    Finds the route of a request, and how it is handled.

    The most specific host comes first: the host itself, then patterns from the longest to the
    shortest, then C{*}.  Of the routes of one of these the longest prefix that matches wins, and
    a route without paths has all paths.  So a request that no prefix matches goes on to the next
    wider pattern.

    @ivar route: finds the route of a host of which only the host counts.  It returns L{None} for
        another host, and for one that is not served: then see L{find}.
    """

    route: Callable[[str], str | None]

    def __init__(self, hosts: HostRoutes, routes: Iterable[RoutedHosts] = ()) -> None:
        self._hosts = hosts
        self._handlings: dict[str, list[Handling]] = {}
        self._of = lru_cache(_REMEMBERED)(self._handlingsOf)
        self.route = hosts.route
        for each in routes:
            self.add(each)

    def add(self, routed: RoutedHosts) -> None:
        """
        Add a route.
        """
        settings = routed.settings
        if not settings.decides:
            return
        made = [Handling(routed.name, settings, each) for each in settings.paths]
        # An app has the route that the host leads to; a redirect needs none.
        whole = Handling("" if settings.redirect is None else routed.name, settings)
        for host in routed.hosts:
            self._handlings.setdefault(self._key(host), []).extend(made or [whole])
        # Others pay nothing for it.
        self.route = self._routeOfPlain

    def find(self, head: RequestHead) -> tuple[str, Handling | None] | None:
        """
        Find the route of a request for which L{route} has returned L{None}.

        @return: the route, and how the request is handled if its route says anything about that.
        @raise BadRequest: its path can be read in different ways, which belong to different
            routes.
        """
        if not self._handlings:
            return None
        handlings = self._of(head.host)
        found = handlings[0] if handlings else None
        if found is not None and found.prefix:
            path = pathOf(head.target)
            found = _match(handlings, path)
            if not isPlain(path):
                _checkReadings(handlings, path, found)
        if found is None:
            return None
        route = found.name or self._hosts.route(head.host)
        return None if route is None else (route, None if found is _PLAIN else found)

    def _routeOfPlain(self, host: str) -> str | None:
        return None if self._of(host) else self._hosts.route(host)

    def _key(self, host: str) -> str:
        if not host or isAddressOrLocalhost(host) or host == self._hosts.default:
            return _LOCAL
        return host

    def _handlingsOf(self, host: str) -> Sequence[Handling]:
        """
        @return: what is for a host, in the order of precedence; empty if only the host counts.
        """
        found: list[Handling] = []
        for key in self._keys(host):
            some = self._handlings.get(key, ())
            found += sorted(some, key=lambda each: len(each.prefix), reverse=True)
            if found and not found[-1].prefix:
                return found
            if self._hosts.leads(self._hosts.default if key == _LOCAL else key):
                break
        # The rest is as if there were no paths.
        return [*found, _PLAIN] if found else []

    def _keys(self, host: str) -> Iterator[str]:
        """
        The host and the patterns that have it, the most specific first.
        """
        key = self._key(host)
        yield key
        if key != _LOCAL:
            rest = host
            while rest := rest.partition(".")[2]:
                yield f"*.{rest}"
            if self._hosts.route(host) == self._hosts.default:
                yield _LOCAL
        yield "*"


def _match(handlings: Iterable[Handling], path: bytes) -> Handling | None:
    for each in handlings:
        if matches(each.prefix, path):
            return each
    return None


def _checkReadings(handlings: Iterable[Handling], path: bytes, found: Handling | None) -> None:
    """
    Check that a path belongs to the same prefix however an app reads it.

    @param found: what its bytes match.
    """
    ways = readings(path)
    if (
        not ways
        or any(
            hasDotSegment(way)
            or _match(handlings, joined(way)) is not found
            # What is left would look like the address of another site.
            or (found is not None and found.strips and way[len(found.prefix) :].startswith(b"//"))
            for way in ways
        )
    ):
        raise BadRequest(400, "ambiguous path")
