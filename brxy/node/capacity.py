"""
The places that an app has for exchanges: their number, and those that are free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from brxy.apps.learning import learning
from brxy.errors import Unseen
from brxy.interfaces import Address
from brxy.node.settings import NodeSettings
from brxy.uptake.uptake import Uptake

__all__ = ["Capacity", "learn"]

_log = Logger()


def learn(
    clock: Any,
    app: Address,
    pid: int | None,
    settings: NodeSettings,
    changed: Callable[[], None],
) -> Uptake | None:
    """
    Learn how many places the node's app has, if that is possible; if not, log why.

    @param app: where the app is.
    @param pid: a process of it; L{None} if the node did not start it.
    @param changed: called when the number may have changed.
    """

    def unknown(reason: str) -> None:
        _log.warn(
            "{route}: can't learn the capacity of the app, which counts as 1: {reason}; set "
            "--capacity to the number of exchanges that it takes at once",
            route=settings.route,
            reason=reason,
        )

    first = settings.speaks_first == "server"
    try:
        make = learning(clock, app, settings.max_capacity, unknown, server_first=first, pid=pid)
    except Unseen as error:
        unknown(str(error))
        return None
    return make(changed)


class Capacity:
    """
    A number of places, shared by the slots to every edge of a node.

    Each edge has as many slots as there are places, and all of them pull while a place
    is left.  So more exchanges may be opened than there are places: the slot of an
    exchange that finds none refuses it, which costs the exchange no retry.

    @ivar left: the number of places that are free.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self.left = places

    def claim(self) -> bool:
        """
        Take a place for an exchange.

        @return: whether one was left.
        """
        if not self.left:
            return False
        self.left -= 1
        return True

    def release(self) -> None:
        """
        Give a place back.

        @raise RuntimeError: none was taken.
        """
        if self.left == self._places:
            raise RuntimeError("a place was released that was never claimed")
        self.left += 1
