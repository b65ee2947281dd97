"""
Reports nodes that the edge does not admit, with a limit on how often.
"""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.interfaces import IAddress

from brxy.edge.events import Events, NodeRefused
from brxy.values.networks import plainAddress

__all__ = ["MOST", "PAUSE", "Refusals"]

# A node that is refused dials again, on each of its slots, every few seconds.  The same
# refusal is reported again only after this (seconds).
PAUSE = 60.0

# The most refusals that are remembered.
MOST = 1000


class Refusals:
    """
    Reports refused nodes: each host and reason at most once in L{PAUSE} seconds.

    @param clock: an C{IReactorTime}.
    """

    def __init__(self, clock: Any, events: Events) -> None:
        self._clock = clock
        self._events = events
        self._reported: dict[tuple[str, str], float] = {}

    def note(self, peer: IAddress, why: str) -> None:
        """
        A node was refused.
        """
        where = plainAddress(getattr(peer, "host", "a unix socket"))
        now = self._clock.seconds()
        if now < self._reported.get((where, why), -math.inf) + PAUSE:
            return
        if len(self._reported) >= MOST:
            self._reported.clear()
        self._reported[where, why] = now
        self._events.emit(NodeRefused(where, why))
