"""
The times of exchanges, as they are measured to find an app that queues within itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from brxy.uptake.audit import Audit
from brxy.uptake.estimate import Estimate
from brxy.uptake.slowdown import Slowdown

__all__ = ["CERTAIN", "Timers", "Timing"]


# An app that has not taken up this many exchanges in a row, while it had as many as its
# capacity, does not let any wait inside.
CERTAIN = 3

# It is considered again after this many exchanges.
REST = 100


class Timers:
    """
    At most one delayed call for each purpose.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._timers: dict[str, IDelayedCall] = {}
        self._running = True

    def after(self, seconds: float, what: str, call: Callable[[], None]) -> None:
        """
        Have this happen later, in place of what was to happen for the same purpose.
        """
        timer = self._timers.pop(what, None)
        if timer is not None:
            timer.cancel()
        if not self._running:
            return

        def expired() -> None:
            del self._timers[what]
            call()

        self._timers[what] = self._clock.callLater(seconds, expired)

    def stop(self) -> None:
        """
        Leave none behind, and begin none.
        """
        self._running = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


class Timing:
    """
    Limits the capacity of an app that takes exchanges up and lets them wait.

    @param most: the limit while there is no other.
    @param changed: called when there may be another limit.
    """

    def __init__(
        self,
        clock: Any,
        estimate: Estimate,
        audit: Audit,
        most: int,
        timers: Timers,
        changed: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._estimate = estimate
        self._audit = audit
        self._most = most
        self._slowdown = Slowdown(most, clock.seconds())
        self._timers = timers
        self._changed = changed

    def began(self) -> int:
        """
        The app gets an exchange.

        @return: see L{Slowdown.began}.
        """
        if not self._audit.awake:
            self._audit.wake()
        if self._estimate.turned_away >= CERTAIN:
            self._stop()
            return 0
        sample = self._slowdown.began(self._estimate.working)
        self._estimate.skip = self._slowdown.skipped()
        return sample

    def timed(self, sample: int, seconds: float) -> None:
        """
        The app has begun to answer.

        @param sample: see L{Slowdown.answered}.
        @param seconds: how long it took.
        """
        now = self._clock.seconds()
        self._slowdown.answered(sample, seconds, now)
        self._follow(now)

    def _stop(self) -> None:
        """
        The app lets exchanges wait outside: its times say nothing about its capacity.
        """
        self._slowdown = Slowdown(self._most, self._clock.seconds())
        self._estimate.skip = REST
        if self._estimate.limit(self._most):
            self._timers.after(0.0, "change", self._changed)

    def _follow(self, now: float) -> None:
        slowdown = self._slowdown
        if self._estimate.limit(slowdown.limit):
            self._estimate.skip = 0
            self._timers.after(0.0, "change", self._changed)
        if slowdown.until < math.inf:
            self._timers.after(max(0.0, slowdown.until - now), "trial", self._trialOver)

    def _trialOver(self) -> None:
        now = self._clock.seconds()
        self._slowdown.expired(now)
        self._follow(now)
