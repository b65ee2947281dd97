"""
Whether the last reload has succeeded, and for which files, from the events of an edge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from brxy.edge.events import Event, ReloadFailed, Reloading
from brxy.edge.metrics import edgetable
from brxy.edge.metrics.metric import OTHER
from brxy.edge.metrics.series import Family, Numbers

__all__ = ["Reloads"]

# How the reason begins if something is wrong in a configuration file.
_PLACE = re.compile(r"(.+?):\d+: ")

# Files that have a label of their own.
_MOST = 100


class Reloads:
    """
    A listener of L{brxy.edge.events.Events}.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        """
        @param time: returns the seconds since 1970.
        """
        self._time = time
        self._succeeded = True
        self._at = time()
        self._rejected = Numbers(edgetable.REJECTED)

    def __call__(self, event: Event) -> None:
        """
        Note an event about a reload.
        """
        if isinstance(event, Reloading):
            self._succeeded = True
            self._at = self._time()
            self._rejected.series = dict.fromkeys(self._rejected.series, 0)
        elif isinstance(event, ReloadFailed):
            self._succeeded = False
            place = _PLACE.match(event.reason)
            if place is not None:
                self._reject(place[1])

    def _reject(self, file: str) -> None:
        known = self._rejected.series
        self._rejected.set(file if (file,) in known or len(known) < _MOST else OTHER, value=1)

    def families(self) -> Iterator[Family]:
        """
        The metrics with their values.
        """
        yield edgetable.RELOADED, {(): int(self._succeeded)}
        yield edgetable.RELOADED_AT, {(): self._at}
        yield edgetable.REJECTED, self._rejected.series
