"""
A queue of things to check later.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Generic, TypeVar

__all__ = ["Agenda"]

T = TypeVar("T")


class Agenda(Generic[T]):
    """
    Things to check at certain times.

    Entries are never taken back: the check finds out whether there is anything to do, and
    L{nextDeadline} skips entries for which there is not.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, T]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, when: float, what: T) -> None:
        """
        Check something at this time.
        """
        self._number += 1
        heappush(self._entries, (when, self._number, what))

    def due(self, now: float) -> list[T]:
        """
        Remove and return what is to be checked by now, in order.
        """
        due: list[T] = []
        while self._entries and self._entries[0][0] <= now:
            due.append(heappop(self._entries)[2])
        return due

    def nextDeadline(self, isSettled: Callable[[T], bool]) -> float | None:
        """
        When there is something to check next.

        @param isSettled: whether there is nothing to do any more for an entry.
        """
        while self._entries and isSettled(self._entries[0][2]):
            heappop(self._entries)
        return self._entries[0][0] if self._entries else None
