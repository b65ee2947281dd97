"""
The waiters of all routes by their deadlines.

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
    The waiters of all routes, by their deadlines; of the same deadline, the older one first.

    A waiter that is held no longer stays as an entry until it would be the oldest, or
    until more than half of the entries are of that kind.
    """

    __slots__ = ("_again", "_arrived", "_numbers")

    def __init__(self) -> None:
        # In order of arrival, which orders their deadlines, too.
        self._arrived: deque[W] = deque()
        # A heap of the others: those that were offered again or are probed, and those with a
        # time of their own; and the numbers of these.
        self._again: list[tuple[float, int, W]] = []
        self._numbers: set[int] = set()

    def __len__(self) -> int:
        return len(self._arrived) + len(self._again)

    def all(self) -> Iterator[W]:
        """
        The waiters, and some that are held no longer.
        """
        yield from self._arrived
        for _, _, waiter in self._again:
            yield waiter

    def add(self, waiter: W) -> None:
        """
        A waiter comes, and no other that came in this way has a later deadline.
        """
        self._arrived.append(waiter)

    def addAgain(self, waiter: W) -> None:
        """
        A waiter is held, whether it has been held before or not, until any time.
        """
        if waiter.number not in self._numbers:
            self._numbers.add(waiter.number)
            heappush(self._again, (waiter.deadline, waiter.number, waiter))

    def reorder(self) -> None:
        """
        The deadlines of waiters have changed.
        """
        waiters = {each.number: each for each in self.all() if each.held}
        self._again = [(each.deadline, number, each) for number, each in waiters.items()]
        heapify(self._again)
        self._numbers = set(waiters)
        self._arrived.clear()

    def shorten(self, held: int) -> None:
        """
        Waiters have left.

        @param held: how many are held.
        """
        if len(self._arrived) + len(self._again) > 2 * held:
            self._again = [each for each in self._again if each[2].held]
            heapify(self._again)
            self._numbers = {number for _, number, _ in self._again}
            self._arrived = deque(
                each for each in self._arrived if each.held and each.number not in self._numbers
            )

    def oldest(self) -> W | None:
        """
        The waiter whose deadline comes first, on any route.
        """
        arrived, again = self._arrived, self._again
        while arrived and not arrived[0].held:
            arrived.popleft()
        while again and not again[0][2].held:
            self._numbers.discard(heappop(again)[1])
        if again and (not arrived or again[0][:2] < (arrived[0].deadline, arrived[0].number)):
            return again[0][2]
        return arrived[0] if arrived else None
