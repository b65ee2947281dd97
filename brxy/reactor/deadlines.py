"""
Many timeouts of equal length with one timer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import takewhile
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_T = TypeVar("_T", bound=Hashable)


class Deadlines(Generic[_T]):
    """
    Calls a function for each item that is not stopped in time.

    Timeouts that are nearly always stopped are cheap here: to start and stop one changes a
    dictionary, where a delayed call of its own would go through the reactor's heap twice.
    All delays are equal, so items expire in the order in which they were started, and a
    sweep checks the oldest only.  The timer is set a little late, so that items started
    shortly after one another expire in one sweep.  It keeps running when the last item is
    stopped, since another one is likely to follow.

    @ivar _due: item to deadline, the oldest first.
    @ivar _call: the timer; kept while it runs, too.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, delay: float, expired: Callable[[_T], object]) -> None:
        """
        @param delay: how long an item may run (seconds).  It expires between C{delay} and
            1.25 times that.
        @param expired: called with each item whose time is over, after its removal.  It
            may start and stop items.
        """
        self._clock = clock
        self._seconds = clock.seconds
        self._delay = delay
        self._slack = delay / 4
        self._expired = expired
        self._due: dict[_T, float] = {}
        self._call: IDelayedCall | None = None

    def __contains__(self, item: object) -> bool:
        return item in self._due

    def __len__(self) -> int:
        return len(self._due)

    def start(self, item: _T) -> None:
        """
        Start the time of an item, from the beginning if it is running.
        """
        due = self._due
        if item in due:
            del due[item]
        due[item] = self._seconds() + self._delay
        if self._call is None:
            self._call = self._clock.callLater(self._delay + self._slack, self._sweep)

    def stop(self, item: _T) -> None:
        """
        Stop the time of an item.  Does nothing if it is not running.
        """
        self._due.pop(item, None)

    def stopAll(self) -> None:
        """
        Stop every item, and the timer.
        """
        self._due.clear()
        if self._call is not None and self._call.active():
            self._call.cancel()
            self._call = None

    def _sweep(self) -> None:
        """
        Expire the items that are due, and set the timer for the oldest that is left.
        """
        now = self._seconds()
        for item, _ in list(takewhile(lambda entry: entry[1] <= now, self._due.items())):
            # The call for an item before it may have stopped or restarted it.
            if self._due.get(item, now + 1) <= now:
                del self._due[item]
                self._expire(item)
        self._call = None
        eldest = next(iter(self._due.values()), None)
        if eldest is not None:
            delay = max(0.0, eldest - self._seconds()) + self._slack
            self._call = self._clock.callLater(delay, self._sweep)

    def _expire(self, item: _T) -> None:
        try:
            self._expired(item)
        except Exception:
            self._log.failure("while handling the timeout of {item!r}", item=item)
