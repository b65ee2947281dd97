"""
The last lines that each instance has printed.

Pure: lines in, lines out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import takewhile

from attrs import define, field, frozen

__all__ = ["LINES", "Line", "Tails"]

#: How many lines of an instance are kept.
LINES = 1000

#: How many characters of an instance, and of all together, are kept; those of the longest
#: lines are cut off.
MOST = 256 * 1024
MOST_TOGETHER = 16 * 1024 * 1024
LONGEST = 8192

#: How many instances are remembered that have ended.
ENDED = 100


@frozen
class Line:
    """
    A line of an instance's output.

    @ivar number: its place in the order of all lines.
    @ivar time: when it was read, in seconds since 1970.
    """

    number: int
    time: float
    route: str
    ticket: str
    text: str


@define
class _Tail:
    """
    @ivar size: of its lines, in characters.
    """

    route: str
    lines: deque[Line] = field(factory=deque)
    size: int = 0

    def add(self, line: Line) -> None:
        """
        Keep a line.
        """
        self.lines.append(line)
        self.size += len(line.text)

    def drop(self) -> int:
        """
        Drop the oldest line.

        @return: its size.
        """
        size = len(self.lines.popleft().text)
        self.size -= size
        return size

    @property
    def is_full(self) -> bool:
        """
        Whether it has more than may be kept.
        """
        return len(self.lines) > LINES or self.size > MOST

    def after(self, number: int) -> Iterator[Line]:
        """
        @return: the lines that came after this one, in their order.
        """
        # Followers want the last few of many lines.
        newer = list(takewhile(lambda line: line.number > number, reversed(self.lines)))
        return reversed(newer)


class Tails:
    """
    The output of all instances.

    @ivar last: the number of the last line; 0 before the first.
    """

    def __init__(self) -> None:
        self.last = 0
        self._tails: dict[str, _Tail] = {}
        self._ended: deque[str] = deque()
        self._size = 0
        self._followers: dict[Callable[[], None], None] = {}

    def begin(self, route: str, ticket: str) -> None:
        """
        An instance begins.  Lines of others are not kept.
        """
        self._tails[ticket] = _Tail(route)

    def end(self, ticket: str) -> None:
        """
        An instance has ended; its last lines stay for a while.
        """
        if ticket in self._tails:
            self._ended.append(ticket)
            while len(self._ended) > ENDED:
                self._forget(self._ended.popleft())

    def add(self, ticket: str, text: str, time: float) -> None:
        """
        An instance has printed a line.
        """
        tail = self._tails.get(ticket)
        if tail is None:
            return
        self.last += 1
        before = tail.size
        tail.add(Line(self.last, time, tail.route, ticket, text[:LONGEST]))
        while tail.is_full:
            tail.drop()
        self._size += tail.size - before
        self._makeRoom()
        for follower in list(self._followers):
            follower()

    def _makeRoom(self) -> None:
        while self._size > MOST_TOGETHER:
            if self._ended:
                self._forget(self._ended.popleft())
            else:
                self._size -= max(self._tails.values(), key=lambda tail: tail.size).drop()

    def _forget(self, ticket: str) -> None:
        tail = self._tails.pop(ticket, None)
        if tail is not None:
            self._size -= tail.size

    def after(self, number: int, route: str, ticket: str = "") -> Sequence[Line]:
        """
        The lines of a route's instances that came after this one, in their order.

        @param ticket: that of the only instance that is wanted.
        """
        chosen = [
            tail.after(number)
            for name, tail in self._tails.items()
            if tail.route == route and ticket in ("", name)
        ]
        return list(merge(*chosen, key=lambda line: line.number))

    def lastLine(self, ticket: str) -> str:
        """
        @return: the last line of an instance that is not empty; C{""} if none is kept.
        """
        tail = self._tails.get(ticket)
        lines = () if tail is None else reversed(tail.lines)
        return next((each.text for each in lines if each.text.strip()), "")

    def follow(self, follower: Callable[[], None]) -> None:
        """
        Call a function at each line from now on.
        """
        self._followers[follower] = None

    def unfollow(self, follower: Callable[[], None]) -> None:
        """
        Call it no more.
        """
        self._followers.pop(follower, None)
