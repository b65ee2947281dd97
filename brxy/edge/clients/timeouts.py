"""
How long clients are waited for.

Clients are looked at now and then, instead of noting each byte that comes or
goes: that costs nothing while they behave.
"""

from __future__ import annotations

from enum import IntEnum
from math import ceil

__all__ = ["MIN_RATE", "Awaited", "Timeouts"]

# Who sends or takes fewer bytes in a second does so to tie the edge down: tools for
# that manage a few, a telephone at the edge of its cell a thousand.
MIN_RATE = 20

# Seconds between two looks at most.
LONGEST_PAUSE = 15.0


class Awaited(IntEnum):
    """
    What a client has to do.
    """

    NOTHING = 0
    REQUEST = 1  # send its next request, or leave
    BODY = 2  # send more of the body of its request
    READING = 3  # take more of what it is sent
    TUNNEL = 4  # send or take something, some day


class Timeouts:
    """
    For each thing that a client can owe: after how many looks something must have
    come of it, and how much.

    Looks come a quarter late at most (see L{brxy.reactor.deadlines.Deadlines}), and the first
    one comes when a time has begun already: a time ends after its length, and not later
    than a quarter of it and two and a half pauses more.

    @ivar pause: seconds between two looks.
    """

    def __init__(self, request: float, body: float, reading: float, tunnel: float) -> None:
        """
        @param request: seconds for each, or 0 for any time.
        """
        times = (0.0, request, body, reading, tunnel)
        shortest = min((each for each in times if each), default=2 * LONGEST_PAUSE)
        self.pause = min(LONGEST_PAUSE, shortest / 2)
        self._looks = [ceil(each / self.pause) + 1 if each else 0 for each in times]
        self._least = (0, 0, ceil(body * MIN_RATE), ceil(reading * MIN_RATE), 1)

    def limits(self, awaited: Awaited) -> bool:
        """
        Whether this must be done in some time.
        """
        return self._looks[awaited] > 0

    def isOver(self, awaited: Awaited, looks: int) -> bool:
        """
        Whether the time for something is over.

        @param looks: how often it was awaited, one look after the other.
        """
        return looks >= self._looks[awaited]

    def isEnough(self, awaited: Awaited, done: int) -> bool:
        """
        Whether enough was done in that time to be given it once more.

        @param done: how many bytes came or went.
        """
        return awaited != Awaited.REQUEST and done >= self._least[awaited]
