"""
The waiters of one route, in order of arrival.

Pure: a data structure.
"""

from __future__ import annotations

from bisect import insort
from typing import Generic

from brxy.broker.decisions import W, Waiter

__all__ = ["Line"]


class Line(Generic[W]):
    """
    The waiters of one route, in order of arrival.

    They are in two lists: the elder with the first waiter at its end, and the others with
    the last at its end.  An exchange that is offered again was first before, so it is
    older than all that never were, and belongs near the end of the elder.  A waiter that
    cancels stays as an entry until its turn comes, or until more than half of the entries
    are of that kind.

    @ivar count: the number of waiters.
    """

    __slots__ = ("_elder", "_others", "count")

    def __init__(self) -> None:
        self._elder: list[W] = []
        self._others: list[W] = []
        self.count = 0

    def __len__(self) -> int:
        return len(self._elder) + len(self._others)

    def add(self, waiter: W) -> None:
        """
        A waiter comes, as the last.
        """
        waiter.held = True
        self.count += 1
        self._others.append(waiter)

    def addAgain(self, waiter: W) -> None:
        """
        A waiter comes back to its former place.
        """
        waiter.held = True
        self.count += 1
        insort(self._elder, waiter, key=_youngestFirst)

    def first(self) -> W:
        """
        The first waiter.  There must be one.
        """
        for waiter in reversed(self._elder):
            if waiter.held:
                return waiter
        return next(waiter for waiter in self._others if waiter.held)

    def pop(self) -> W:
        """
        Remove the first waiter.  There must be one.
        """
        while True:
            if not self._elder:
                self._elder, self._others = self._others, self._elder
                self._elder.reverse()
            waiter = self._elder.pop()
            if waiter.held:
                waiter.held = False
                self.count -= 1
                return waiter

    def drop(self, waiter: W) -> None:
        """
        A waiter leaves.
        """
        waiter.held = False
        self.count -= 1
        if len(self._elder) + len(self._others) > 2 * self.count:
            self._elder = [each for each in self._elder if each.held]
            self._others = [each for each in self._others if each.held]

    def clear(self) -> list[W]:
        """
        Remove all waiters.

        @return: the waiters in order of arrival.
        """
        waiters = [each for each in (*reversed(self._elder), *self._others) if each.held]
        for waiter in waiters:
            waiter.held = False
        self.count = 0
        return waiters


def _youngestFirst(waiter: Waiter) -> int:
    return -waiter.number
