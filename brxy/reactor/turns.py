"""
A queue of work that would block the reactor for too long if it was done at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall

__all__ = ["TurnQueue"]

_T = TypeVar("_T")


class TurnQueue(Generic[_T]):
    """
    Calls a function with one item after the other.  All the queues of a reactor together
    make one call in each of its turns; the first call is made at once.

    @param act: the function.
    """

    def __init__(self, clock: Any, act: Callable[[_T], object]) -> None:
        self._queue = _queueOf(clock)
        self._act = act
        # The items that are put off.
        self._withheld: dict[_T, None] | None = None

    def add(self, item: _T) -> None:
        """
        Add an item, behind all others.
        """
        self._queue.add((self, item), self._do)

    def _do(self, item: _T) -> None:
        if self._withheld is None:
            self._act(item)
        else:
            self._withheld[item] = None

    def withhold(self) -> None:
        """
        Put all items off.
        """
        self._withheld = {}

    def goOn(self) -> None:
        """
        Add what was put off.
        """
        withheld, self._withheld = self._withheld, None
        for item in withheld or ():
            self.add(item)

    def drop(self, item: _T) -> bool:
        """
        Remove an item.

        @return: whether it was still in the queue.
        """
        if self._withheld and item in self._withheld:
            del self._withheld[item]
            return True
        return self._queue.drop((self, item))

    def stop(self) -> None:
        """
        Remove all items.
        """
        self._queue.dropAll(self)


class _Queue:
    """
    The items of all L{TurnQueue}s of a reactor.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._waiting: dict[tuple[TurnQueue[Any], Any], Callable[[Any], object]] = {}
        self._call: IDelayedCall | None = None

    def add(self, work: tuple[TurnQueue[Any], Any], act: Callable[[Any], object]) -> None:
        self._waiting[work] = act
        if self._call is None:
            self._goOn()

    def drop(self, work: tuple[TurnQueue[Any], Any]) -> bool:
        if work not in self._waiting:
            return False
        del self._waiting[work]
        return True

    def dropAll(self, queue: TurnQueue[Any]) -> None:
        for work in [each for each in self._waiting if each[0] is queue]:
            del self._waiting[work]
        if not self._waiting and self._call is not None:
            self._call.cancel()
            self._call = None

    def _goOn(self) -> None:
        self._call = None
        if self._waiting:
            # First of all, since the call may add an item, which is for a later turn.
            self._call = self._clock.callLater(0, self._goOn)
            _, item = work = next(iter(self._waiting))
            self._waiting.pop(work)(item)


@lru_cache(maxsize=1)
def _queueOf(clock: Any) -> _Queue:
    """
    The queue of a reactor; a process has one reactor.
    """
    return _Queue(clock)
