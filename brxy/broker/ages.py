"""
The waiters of all routes by their age.

Pure: a data structure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Generic

from brxy.broker.decisions import W

__all__ = ["Ages"]


class Ages(Generic[W]):
    """
    The waiters of all routes, by their age, which orders their deadlines, too.

    A waiter that is held no longer stays as an entry until it would be the oldest, or
    until more than half of the entries are of that kind.
    """

    __slots__ = ("_again", "_arrived", "_numbers")

    def __init__(self) -> None:
        # In order of arrival.
        self._arrived: deque[W] = deque()
        # A heap of those that were offered again or are probed, and their numbers.
        self._again: list[tuple[int, W]] = []
        self._numbers: set[int] = set()

    def __len__(self) -> int:
        return len(self._arrived) + len(self._again)

    def all(self) -> Iterator[W]:
        """
        The waiters, and some that are held no longer.
        """
        yield from self._arrived
        for _, waiter in self._again:
            yield waiter

    def add(self, waiter: W) -> None:
        """
        A waiter comes, as the youngest.
        """
        self._arrived.append(waiter)

    def addAgain(self, waiter: W) -> None:
        """
        A waiter is held, whether it has been held before or not.
        """
        if waiter.number not in self._numbers:
            self._numbers.add(waiter.number)
            heappush(self._again, (waiter.number, waiter))

    def shorten(self, held: int) -> None:
        """
        Waiters have left.

        @param held: how many are held.
        """
        if len(self._arrived) + len(self._again) > 2 * held:
            self._again = [each for each in self._again if each[1].held]
            heapify(self._again)
            self._numbers = {number for number, _ in self._again}
            self._arrived = deque(
                each for each in self._arrived if each.held and each.number not in self._numbers
            )

    def oldest(self) -> W | None:
        """
        The waiter that has waited longest, on any route.
        """
        arrived, again = self._arrived, self._again
        while arrived and not arrived[0].held:
            arrived.popleft()
        while again and not again[0][1].held:
            self._numbers.discard(heappop(again)[0])
        if again and (not arrived or again[0][0] < arrived[0].number):
            return again[0][1]
        return arrived[0] if arrived else None
