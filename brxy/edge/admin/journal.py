"""
The last events of an edge, for the admin API.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from secrets import token_hex
from time import time
from typing import Any

from attrs import frozen

from brxy.edge.eventlog import TEXTS, fieldsOf, nameOf, textOf
from brxy.edge.events import Event

__all__ = ["KEPT", "Entry", "Journal"]

#: How many events are kept.
KEPT = 1000


@frozen
class Entry:
    """
    One event.

    @ivar number: its place in the order of all events since the edge was started.
    @ivar time: when it happened, in seconds since 1970.
    """

    number: int
    time: float
    event: Event

    def view(self) -> dict[str, Any]:
        """
        The event as the API shows it: with the fields of its class.
        """
        return {
            "seq": self.number,
            "time": round(self.time, 3),
            "event": nameOf(self.event),
            "level": TEXTS[type(self.event)][0].name,
            "text": textOf(self.event),
            **{name: _plain(value) for name, value in fieldsOf(self.event).items()},
        }

    def isAbout(self, covers: Callable[[str], bool]) -> bool:
        """
        @return: whether it is about a route that is covered.
        """
        return covers(getattr(self.event, "route", ""))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return round(value, 3)
    return value


class Journal:
    """
    A listener of events that keeps the last of them.

    @ivar run: tells apart this run of the edge and others, whose events had the same numbers.
    @ivar last: the number of the last event; 0 before the first.
    """

    def __init__(self, now: Callable[[], float] = time) -> None:
        """
        @param now: returns the seconds since 1970.
        """
        self.run = token_hex(4)
        self.last = 0
        self._now = now
        self._kept: deque[Entry] = deque(maxlen=KEPT)
        self._followers: dict[Callable[[], None], None] = {}

    def __call__(self, event: Event) -> None:
        """
        Something happened.
        """
        self.last += 1
        self._kept.append(Entry(self.last, self._now(), event))
        for follower in list(self._followers):
            follower()

    def after(self, number: int) -> Sequence[Entry]:
        """
        @return: the events that are kept and came after this one.
        """
        first = self.last - len(self._kept)
        return list(islice(self._kept, max(0, number - first), None))

    def follow(self, follower: Callable[[], None]) -> None:
        """
        Call a function at each event from now on.
        """
        self._followers[follower] = None

    def unfollow(self, follower: Callable[[], None]) -> None:
        """
        Call it no more.
        """
        self._followers.pop(follower, None)
