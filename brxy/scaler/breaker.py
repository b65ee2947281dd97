"""
Stops ordering what fails to start.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Breaker"]

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

# Orders that ended longer ago, in seconds, say nothing about now.
WINDOW = 10.0

# More outcomes than this within the window add nothing to what they say.
_REMEMBERED = 200


class Breaker:
    """
    What became of the orders of one route at one spawner, and whether to make
    another.

    A failure opens it, unless the orders of the last ten seconds succeeded at
    least as often as they failed: something that kills healthy instances from
    outside must not stop them from being replaced.  While it is open there are no
    orders, for 1 s at first.  Then one is tried, the canary: when that fails
    the pause doubles, up to 60 s.  Any success closes the breaker, of
    the canary or of an order made before it opened.

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
        How many orders may be made: any number (L{None}), one, or none.
        """
        if self._until is None:
            return None
        return 1 if self._canary is None and now >= self._until else 0

    def remaining(self, now: float) -> float:
        """
        Seconds until the next order may be tried.
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
        What was ordered works.

        @return: whether this has closed the breaker.
        """
        was_open = self._until is not None
        self._outcomes.append((now, 1))
        self._until = self._canary = None
        self._pause = 0.0
        return was_open

    def failed(self, ticket: str, reason: str, now: float) -> None:
        """
        What was ordered does not work.
        """
        self.reason = reason
        self._outcomes.append((now, -1))
        if ticket == self._canary or (self._until is None and not self._isHealthy(now)):
            self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
            self._until = now + self._pause
            self._canary = None

    def dropped(self, ticket: str) -> None:
        """
        Nobody will know whether this order would have worked: it was taken
        back before that showed.
        """
        if ticket == self._canary:
            self._canary = None

    def forgetAt(self) -> float:
        """
        When there is nothing left to remember, if no more is ordered till then.
        """
        if self._until is not None:
            return self._until + LONGEST_PAUSE
        return self._outcomes[-1][0] + WINDOW if self._outcomes else 0.0

    def _isHealthy(self, now: float) -> bool:
        return sum(outcome for when, outcome in self._outcomes if when > now - WINDOW) >= 0
