"""
Timeouts of clients, by periodic checks.

Clients are checked now and then, instead of restarting a timer for each byte that comes
or goes: that costs nothing while they behave.
"""

from __future__ import annotations

from enum import IntEnum
from math import ceil

__all__ = ["MIN_RATE", "Awaited", "Timeouts"]

# Bytes per second that a client must send or take at least.  Tools that hold connections
# open on purpose manage a few, a phone with a bad link a thousand.
MIN_RATE = 20

# Seconds between two checks, at most.
LONGEST_PAUSE = 15.0


class Awaited(IntEnum):
    """
    What a client has to do.
    """

    NOTHING = 0
    REQUEST = 1  # send its next request, or leave
    BODY = 2  # send more of the body of its request
    READING = 3  # take more of what is sent to it
    TUNNEL = 4  # send or take at least one byte
    RESPONSE = 5  # the same, while the app of its request is at work


class Timeouts:
    """
    For each thing that a client may have to do: by how many checks it must have made
    progress, and how much.

    Checks are at most a quarter late (see L{brxy.reactor.deadlines.Deadlines}), and the
    first one comes after the time has begun: a timeout of C{t} expires between C{t} and
    C{1.25 * t + 2.5 * pause}.

    @ivar pause: seconds between two checks.
    """

    def __init__(
        self, request: float, body: float, reading: float, tunnel: float, response: float = 0.0
    ) -> None:
        """
        @param request: the seconds for each; 0 for no limit.
        """
        times = (0.0, request, body, reading, tunnel, response)
        shortest = min((each for each in times if each), default=2 * LONGEST_PAUSE)
        self.pause = min(LONGEST_PAUSE, shortest / 2)
        self._checks = [ceil(each / self.pause) + 1 if each else 0 for each in times]
        self._least = (0, 0, ceil(body * MIN_RATE), ceil(reading * MIN_RATE), 1, 1)

    def limits(self, awaited: Awaited) -> bool:
        """
        Whether there is a limit on the time for this.
        """
        return self._checks[awaited] > 0

    def isOver(self, awaited: Awaited, checks: int) -> bool:
        """
        Whether the time for something is over.

        @param checks: how many checks in a row have awaited it.
        """
        return checks >= self._checks[awaited]

    def isEnough(self, awaited: Awaited, done: int) -> bool:
        """
        Whether the client made enough progress in that time to be given it once more.

        @param done: how many bytes came or went.
        """
        return awaited != Awaited.REQUEST and done >= self._least[awaited]
