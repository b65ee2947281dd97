"""
Limits on the routes that clients may have started.
"""

from __future__ import annotations

from math import ceil

from brxy.broker.quota import Wakes
from brxy.edge.config.limits import Limits
from brxy.edge.exchanges.refusals import TOO_MANY_ROUTES, TOO_MANY_WOKEN, Refusal
from brxy.scaler.scaler import Scaler

__all__ = ["WakeLimits"]


class WakeLimits:
    """
    Checks whether a client may have an app started for a route that the settings do not
    name.
    """

    def __init__(self, scaler: Scaler, limits: Limits) -> None:
        self._scaler = scaler
        self._limits = limits
        self._wakes = Wakes(limits.wake_burst, limits.wake_rate)

    def adopt(self, limits: Limits) -> None:
        """
        Other limits hold from now on.
        """
        before, self._limits = self._limits, limits
        if (before.wake_burst, before.wake_rate) != (limits.wake_burst, limits.wake_rate):
            self._wakes = Wakes(limits.wake_burst, limits.wake_rate)

    def refusal(self, route: str, waker: str, now: float) -> Refusal | None:
        """
        @param waker: the address of the client; C{""} if it has none.
        @return: why not, if it may not.
        """
        if not self._scaler.wakesUnnamed(route, now):
            return None
        routes = self._scaler.knownRoutes()
        if 0 < self._limits.max_routes <= routes and not self._scaler.knows(route):
            return TOO_MANY_ROUTES
        wait = self._wakes.take(waker, now)
        return TOO_MANY_WOKEN.after(ceil(wait)) if wait else None
