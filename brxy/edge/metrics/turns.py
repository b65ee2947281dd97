"""
How long the turns of the reactor are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from brxy.edge.metrics import edgetable
from brxy.edge.metrics.series import Distribution, Family

__all__ = ["PAUSE", "Turns"]

#: Seconds between two measurements.
PAUSE = 1.0


class Turns:
    """
    Measures now and then how late a timer is: for this long, the turn of the reactor went on in
    which it was due.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._seconds = Distribution(edgetable.TURN.buckets)
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """
        Begin.
        """
        self._due = self._clock.seconds() + PAUSE
        self._call = self._clock.callLater(PAUSE, self._measure)

    def stop(self) -> None:
        """
        Leave no timer behind.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _measure(self) -> None:
        self._seconds.observe(max(0.0, self._clock.seconds() - self._due))
        self.start()

    def families(self) -> Iterator[Family]:
        """
        The metrics with their values.
        """
        yield edgetable.TURN, {(): self._seconds}
