"""
Looks from time to time at the exchanges that an app has whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from brxy.uptake.backends import Backends
from brxy.uptake.estimate import WINDOW, Estimate

__all__ = ["AUDIT", "Audit"]

# How often the exchanges of a busy app are looked at (seconds).  One that the app has had since
# the last look and has not begun to read waits within the app's queue.  The event loop of an app
# may be busy for a while.
AUDIT = 1.0

# When to look for the first time at the first exchange of an app (seconds); the pause doubles
# each time, up to the second.  A server that forks listens before it has workers that accept.
FIRST, FIRST_MOST = 0.0005, 0.05


class Audit:
    """
    Lowers the capacity of an app that has more exchanges than it works on, and forgets what
    was proven long ago.  An idle app costs nothing: its audit sleeps.

    @ivar awake: it looks; if not, call L{wake} when an exchange begins.
    @param stopped: whether the app is stopped: then it says nothing that it reads nothing.
    @param changed: called when the capacity has changed.
    """

    def __init__(
        self,
        clock: Any,
        estimate: Estimate,
        backends: Backends,
        stopped: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self.awake = False
        self._clock = clock
        self._estimate = estimate
        self._backends = backends
        self._stopped = stopped
        self._changed = changed
        self._timer: IDelayedCall | None = None
        self._whole: set[object] = set()
        self._counts = (0, 0)
        self._pause = FIRST
        self._answered = False

    def wake(self) -> None:
        """
        An exchange begins.
        """
        self.awake = True
        self._after(AUDIT if self._estimate.shown else 0.0, self._look)

    def answered(self) -> None:
        """
        The app answers an exchange, so it has taken that up.
        """
        self._answered = True

    def stop(self) -> None:
        """
        Leave no timer behind.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        self.stop()
        self._timer = self._clock.callLater(seconds, self._expired, call)

    def _expired(self, call: Callable[[], None]) -> None:
        self._timer = None
        call()

    def _look(self) -> None:
        if not self._estimate.shown:
            self._lookAtFirst()
            return
        before, self._whole = self._whole, self._backends.whole()
        if self._estimate.working > 1 and before & self._whole:
            self._lookAt(before)
        self._rest()

    def _lookAtFirst(self) -> None:
        """
        See whether the app has taken up its first exchange.
        """
        estimate = self._estimate
        if self._answered or self._backends.survey()[0]:
            estimate.show()
            self._changed()
            self._after(AUDIT, self._look)
        elif estimate.working:
            self._after(self._pause, self._look)
            self._pause = min(2 * self._pause, FIRST_MOST)
        else:
            # So that the next exchange wakes it.
            self.awake, estimate.skip = False, 0
            self._pause = FIRST

    def _lookAt(self, exchanges: set[object]) -> None:
        """
        See whether the app has begun to read exchanges that it has had for a while.
        """
        estimate = self._estimate
        unread = len(exchanges & self._backends.survey()[1])
        if unread and not self._stopped() and estimate.unread(estimate.working - unread):
            self._changed()

    def _rest(self) -> None:
        estimate = self._estimate
        if estimate.expire(self._clock.seconds()):
            self._changed()
        before, self._counts = self._counts, (estimate.begun, estimate.skip)
        self.awake = self._counts != before
        if self.awake:
            self._after(AUDIT, self._look)
            return
        self._whole = set()
        # So that the next exchange wakes it.
        estimate.skip = 0
        if estimate.capacity > 1:
            # Long enough for the proof to expire.
            self._after(WINDOW, self._look)
