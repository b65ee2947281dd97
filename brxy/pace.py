"""
Work that would keep the reactor waiting if all of it was done at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall

__all__ = ["Pace"]

_T = TypeVar("_T")


class Pace(Generic[_T]):
    """
    Does something with one item in each turn of the reactor, the first at once.

    @param act: what is done.
    """

    def __init__(self, clock: Any, act: Callable[[_T], object]) -> None:
        self._clock = clock
        self._act = act
        self._waiting: dict[_T, None] = {}
        self._call: IDelayedCall | None = None

    def add(self, item: _T) -> None:
        """
        Do it with this one, behind all others.
        """
        self._waiting[item] = None
        if self._call is None:
            self._goOn()

    def drop(self, item: _T) -> bool:
        """
        Don't do it.

        @return: whether it was not done yet.
        """
        if item not in self._waiting:
            return False
        del self._waiting[item]
        return True

    def stop(self) -> None:
        """
        Do nothing more.
        """
        self._waiting.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _goOn(self) -> None:
        self._call = None
        if self._waiting:
            # Before the rest: what is done may add another, for a later turn.
            self._call = self._clock.callLater(0, self._goOn)
            item = next(iter(self._waiting))
            del self._waiting[item]
            self._act(item)
