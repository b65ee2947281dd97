"""
Stops orders that keep failing.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Breaker"]

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

# Older outcomes, in seconds, are not counted.
WINDOW = 10.0

# The maximum of outcomes that are counted.
_REMEMBERED = 200


class Breaker:
    """
    The outcomes of the orders of one spawn for one route, and whether it may have another.

    A failure opens it, unless at least as many orders succeeded as failed in the last ten
    seconds: healthy instances that something kills from outside must still be replaced.
    While the breaker is open there are no orders, at first for 1 s.  Then one order is
    tried, the canary.  If it fails, the pause doubles, up to 60 s.  A success closes the
    breaker, be it of the canary or of an order from before.

    @ivar reason: why the last order failed.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._outcomes: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED)
        self._pause = 0.0
        self._until: float | None = None
        self._canary: str | None = None

    def mayOrder(self, now: float) -> int | None:
        """
        How many orders are allowed: any number (L{None}), one, or none.
        """
        if self._until is None:
            return None
        return 1 if self._canary is None and now >= self._until else 0

    def remaining(self, now: float) -> float:
        """
        Seconds until the next order is allowed.
        """
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def ordered(self, ticket: str) -> None:
        """
        An order was made, as L{mayOrder} allowed.
        """
        if self._until is not None:
            self._canary = ticket

    def succeeded(self, now: float) -> bool:
        """
        An ordered instance works.

        @return: whether this closed the breaker.
        """
        was_open = self._until is not None
        self._outcomes.append((now, 1))
        self._until = self._canary = None
        self._pause = 0.0
        return was_open

    def failed(self, ticket: str, reason: str, now: float) -> None:
        """
        An ordered instance does not work.
        """
        self.reason = reason
        self._outcomes.append((now, -1))
        if ticket == self._canary or (self._until is None and not self._isHealthy(now)):
            self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
            self._until = now + self._pause
            self._canary = None

    def dropped(self, ticket: str) -> None:
        """
        An order was taken back before it was known whether it works.
        """
        if ticket == self._canary:
            self._canary = None

    def forgetAt(self) -> float:
        """
        When there is nothing left to remember, if nothing is ordered until then.
        """
        if self._until is not None:
            return self._until + LONGEST_PAUSE
        return self._outcomes[-1][0] + WINDOW if self._outcomes else 0.0

    def _isHealthy(self, now: float) -> bool:
        return sum(outcome for when, outcome in self._outcomes if when > now - WINDOW) >= 0
