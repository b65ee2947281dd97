"""
What the log says of those who may not be a node.
"""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

__all__ = ["Refusals"]

# Whoever is refused comes back, each of its slots after some seconds; that it is
# still so is worth a line now and then (seconds).
PAUSE = 60.0

# So many are told apart.
MOST = 1000


class Refusals:
    """
    Says who was refused and why, but not at each attempt.

    @param clock: an C{IReactorTime}.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def say(self, peer: IAddress, why: str) -> None:
        """
        Somebody was refused.
        """
        where = getattr(peer, "host", "a unix socket")
        now = self._clock.seconds()
        if now < self._said.get((where, why), -math.inf) + PAUSE:
            return
        if len(self._said) >= MOST:
            self._said.clear()
        self._said[where, why] = now
        self._log.warn("refused a node at {where}: {why}", where=where, why=why)
