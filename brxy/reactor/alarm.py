"""
One timer for whatever is due next.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Alarm"]

# A timer that would expire at most this much (seconds) after the time it is set to
# is left as it is.
_SLACK = 0.01


class Alarm:
    """
    Calls its owner at the earliest of the times that it was set to.

    It may call a moment early, or without need: the owner sees what is due, and sets
    the alarm again.
    """

    def __init__(self, clock: IReactorTime, due: Callable[[], object]) -> None:
        self._clock = clock
        self._due = due
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def set(self, at: float | None) -> None:
        """
        Call at this time, or before; L{None} changes nothing.
        """
        if at is None or self._stopped:
            return
        if self._timer is not None:
            if self._timer.getTime() <= at + _SLACK:
                return
            self._timer.cancel()
        self._timer = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._ring)

    def stop(self) -> None:
        """
        Call no more, whatever it is set to.
        """
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._due()
