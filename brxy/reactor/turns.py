"""
Work that would keep the reactor waiting if all of it was done at once.
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
    Does something with one item after the other.  All paces of a reactor do one
    thing in each of its turns, the first at once.

    @param act: what is done.
    """

    def __init__(self, clock: Any, act: Callable[[_T], object]) -> None:
        self._queue = _queueOf(clock)
        self._act = act

    def add(self, item: _T) -> None:
        """
        Do it with this one, behind all others.
        """
        self._queue.add((self, item), self._act)

    def drop(self, item: _T) -> bool:
        """
        Don't do it.

        @return: whether it was not done yet.
        """
        return self._queue.drop((self, item))

    def stop(self) -> None:
        """
        Do nothing more.
        """
        self._queue.dropAll(self)


class _Queue:
    """
    What waits for its turn.
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

    def dropAll(self, pace: TurnQueue[Any]) -> None:
        for work in [each for each in self._waiting if each[0] is pace]:
            del self._waiting[work]
        if not self._waiting and self._call is not None:
            self._call.cancel()
            self._call = None

    def _goOn(self) -> None:
        self._call = None
        if self._waiting:
            # Before the rest: what is done may add another, for a later turn.
            self._call = self._clock.callLater(0, self._goOn)
            _, item = work = next(iter(self._waiting))
            self._waiting.pop(work)(item)


@lru_cache(maxsize=1)
def _queueOf(clock: Any) -> _Queue:
    """
    The queue of a reactor, of which a process has one.
    """
    return _Queue(clock)
