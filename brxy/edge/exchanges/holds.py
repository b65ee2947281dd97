"""
Which exchanges are held, and how long those were that are served.

Pure: the time is given.
"""

from __future__ import annotations

from collections.abc import Callable

from brxy.edge.exchanges.table import Exchange

__all__ = ["Holds"]


class Holds:
    """
    Exchanges that wait for a slot.

    @ivar queued: exchanges that were served after they had been held while their route had a
        ready instance.
    @ivar cold: exchanges that were served after they had been held while it had none.
    @ivar observer: called with the seconds of each that is served; L{None}: nothing is.
    """

    def __init__(self, seconds: Callable[[], float], hasReady: Callable[[str], bool]) -> None:
        """
        @param hasReady: returns whether a route has a ready instance.
        """
        self._seconds = seconds
        self._hasReady = hasReady
        # In the order in which they began: since when, and whether no instance was ready then.
        self._held: dict[Exchange, tuple[float, bool]] = {}
        self._counts: dict[str, int] = {}
        self._most = 0
        # Only while it is read: otherwise the routes would add up.
        self._mostOf: dict[str, int] | None = None
        self.queued = self.cold = 0
        self.observer: Callable[[float], None] | None = None

    def begin(self, exchange: Exchange) -> None:
        """
        An exchange is held, if it is not already.
        """
        if exchange not in self._held:
            self._held[exchange] = (self._seconds(), not self._hasReady(exchange.route))
            self._most = max(self._most, len(self._held))
            route = exchange.route
            count = self._counts[route] = self._counts.get(route, 0) + 1
            if self._mostOf is not None:
                self._mostOf[route] = max(self._mostOf.get(route, 0), count)

    def serve(self, exchange: Exchange) -> None:
        """
        A slot has taken an exchange, which may have been held.
        """
        found = self._pop(exchange)
        if found is not None:
            since, cold = found
            if cold:
                self.cold += 1
            else:
                self.queued += 1
            if self.observer is not None:
                self.observer(self._seconds() - since)

    def end(self, exchange: Exchange) -> None:
        """
        An exchange, which may have been held, is over.
        """
        self._pop(exchange)

    def _pop(self, exchange: Exchange) -> tuple[float, bool] | None:
        found = self._held.pop(exchange, None)
        if found is not None:
            left = self._counts.pop(exchange.route) - 1
            if left:
                self._counts[exchange.route] = left
        return found

    def takeMost(self) -> tuple[int, dict[str, int]]:
        """
        @return: the most that were held at once since the last call, in all and of each route;
            the first call knows only how many there are now of each route.
        """
        found = self._most, self._counts.copy() if self._mostOf is None else self._mostOf
        self._most, self._mostOf = len(self._held), dict(self._counts)
        return found

    def oldest(self) -> float:
        """
        The seconds for which the first of those that are held has been; 0 without any.
        """
        for since, _ in self._held.values():
            return self._seconds() - since
        return 0.0
