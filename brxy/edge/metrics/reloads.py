"""
Whether the last reload has succeeded, from the events of an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from brxy.edge.events import Event, ReloadFailed, Reloading
from brxy.edge.metrics import edgetable
from brxy.edge.metrics.series import Family

__all__ = ["Reloads"]


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

    def __call__(self, event: Event) -> None:
        """
        Note an event about a reload.
        """
        if isinstance(event, Reloading):
            self._succeeded = True
            self._at = self._time()
        elif isinstance(event, ReloadFailed):
            self._succeeded = False

    def families(self) -> Iterator[Family]:
        """
        The metrics with their values.
        """
        yield edgetable.RELOADED, {(): int(self._succeeded)}
        yield edgetable.RELOADED_AT, {(): self._at}
