"""
The spans of starts that failed, from the events of an edge.
"""

from __future__ import annotations

from collections.abc import Callable

from brxy.edge.events import (
    Event,
    GivenUp,
    Gone,
    InstanceEvent,
    Ordered,
    Ready,
    Retires,
    StartFailed,
)

__all__ = ["FailedStarts"]


class FailedStarts:
    """
    A listener of L{brxy.edge.events.Events}.
    """

    def __init__(
        self, seconds: Callable[[], float], failed: Callable[[InstanceEvent, float, str], None]
    ) -> None:
        """
        @param seconds: the reactor's clock.
        @param failed: called with the event that ended a start, with the time of its order, and
            with the reason.
        """
        self._seconds = seconds
        self._failed = failed
        # When the instances were ordered that are not ready yet, by their tickets.
        self._ordered: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """
        Something happened.
        """
        if isinstance(event, Ordered):
            self._ordered[event.ticket] = self._seconds()
        elif isinstance(event, Ready | Retires):
            self._ordered.pop(event.ticket, None)
        elif isinstance(event, StartFailed | GivenUp | Gone):
            ordered_at = self._ordered.pop(event.ticket, None)
            if ordered_at is not None:
                self._failed(event, ordered_at, event.reason)
