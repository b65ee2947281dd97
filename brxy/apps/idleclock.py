"""
A clock that drains and ends an instance as L{brxy.apps.lifetime} decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from brxy.apps.lifetime import Exit, Lifetime, Stay

__all__ = ["IdleClock"]


class IdleClock:
    """
    Consults a L{Lifetime} whenever its decision may have changed.

    @ivar lifetime: decides, and counts the exchanges that run.  Only their beginnings are
        reported to it directly, since they change nothing.
    @ivar leaving: the instance takes no more exchanges.
    @param drain: called, maybe more than once, when it shall take no more exchanges.
    @param exit: called once when it shall end.
    """

    def __init__(
        self,
        clock: Any,
        idle_timeout: float,
        old_idle_timeout: float,
        drain: Callable[[], None],
        exit: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._seconds = clock.seconds
        self.lifetime = Lifetime(idle_timeout, old_idle_timeout, clock.seconds())
        self._drain = drain
        self._exit = exit
        self._timer: IDelayedCall | None = None
        self._exited = False
        self.leaving = False

    def exchangeOver(self) -> None:
        """
        An exchange is over.
        """
        lifetime = self.lifetime
        lifetime.exchangeOver(self._seconds())
        # A timer that runs reconsiders when it expires, and is set anew then.
        if not lifetime.busy and (self.leaving or self._timer is None):
            self.reconsider()

    def setNewest(self, newest: bool) -> None:
        """
        Whether it is the newest instance of its route.
        """
        self.lifetime.setNewest(newest, self._seconds())
        self.reconsider()

    def setTimeouts(self, idle_timeout: float, old_idle_timeout: float) -> None:
        """
        See L{Lifetime.setTimeouts}.
        """
        self.lifetime.setTimeouts(idle_timeout, old_idle_timeout)
        if not self.leaving:
            self.reconsider()

    def retire(self) -> None:
        """
        The instance shall finish its exchanges and end.
        """
        self.lifetime.retire()
        self.reconsider()

    def reconsider(self) -> None:
        """
        Do what the lifetime decides now.
        """
        self.stop()
        now = self._seconds()
        step = self.lifetime.next(now)
        if isinstance(step, Stay):
            if step.until is not None:
                self._timer = self._clock.callLater(max(0.0, step.until - now), self._expired)
            return
        self.leaving = True
        self._drain()
        if isinstance(step, Exit) and not self._exited:
            self._exited = True
            self._exit()

    def _expired(self) -> None:
        self._timer = None
        self.reconsider()

    def stop(self) -> None:
        """
        Set no more timers.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
