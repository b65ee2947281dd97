"""
Many equal time-outs at the price of one timer.
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
    Says when something has not happened for a while.

    A time-out that nearly always is stopped in time is cheap here: starting
    and stopping one touches a dictionary, where a delayed call of its own would
    go through the reactor's heap twice.  Because all delays are equal, the
    order of starting is the order of expiring, and one sweep looks at the
    eldest only.  Its timer is set a little late, so that items started shortly
    after one another expire in one sweep; and it is left to run when the last
    item is stopped, since another is likely to come.

    @ivar _due: item to deadline, the eldest first.
    @ivar _call: the timer, kept also while it is being served.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, delay: float, expired: Callable[[_T], object]) -> None:
        """
        @param delay: how long an item may run, in seconds; it expires within
            a quarter of that more.
        @param expired: called with each item whose time is over, when it is no
            longer in here.  It may start and stop items.
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
        Give this item its full time, from now on.
        """
        due = self._due
        if item in due:
            del due[item]
        due[item] = self._seconds() + self._delay
        if self._call is None:
            self._call = self._clock.callLater(self._delay + self._slack, self._sweep)

    def stop(self, item: _T) -> None:
        """
        This item shall not expire.  Does nothing if it is not running.
        """
        self._due.pop(item, None)

    def stopAll(self) -> None:
        """
        Forget every item, and leave no timer behind.
        """
        self._due.clear()
        if self._call is not None and self._call.active():
            self._call.cancel()
            self._call = None

    def _sweep(self) -> None:
        """
        Expire what is due, and set the timer for what then is the eldest.
        """
        now = self._seconds()
        for item, _ in list(takewhile(lambda entry: entry[1] <= now, self._due.items())):
            # Those before it may have stopped it or started it anew.
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
            self._log.failure("after the time of {item!r} was over", item=item)
