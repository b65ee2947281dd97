"""
Learning the capacity of the node's app.
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

__all__ = ["learn"]

_log = Logger()


def learn(
    clock: Any, app: Address, settings: NodeSettings, changed: Callable[[], None]
) -> Uptake | None:
    """
    Learn the capacity of the node's app, if that is possible; if not, log why.

    @param app: where the app is.
    @param changed: called when the capacity may have changed.
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
        make = learning(clock, app, settings.max_capacity, unknown, server_first=first)
    except Unseen as error:
        unknown(str(error))
        return None
    return make(changed)
