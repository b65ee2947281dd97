"""
One connection to an app, as the uptake of the app sees it.
"""

from __future__ import annotations

from brxy.uptake.backends import Ends
from brxy.uptake.sockdiag import Queue, Seen

__all__ = ["OneBackend", "OneDiag"]


class OneDiag:
    """
    Shows the app's end of one connection, or none.

    @ivar seen: what is seen of it; L{None}: it is not there.
    """

    def __init__(self, seen: Seen | None = None) -> None:
        self.seen = seen

    def look(self, app: tuple[str, int], ours: tuple[str, int]) -> Seen | None:
        return self.seen

    def knows(self, app: tuple[str, int], ours: tuple[str, int]) -> bool:
        return self.seen is not None

    def queue(self, app: tuple[str, int]) -> Queue | None:
        return None

    def close(self) -> None:
        pass


class OneBackend:
    """
    A connection with an exchange.

    @ivar arrived: all that was sent has arrived.
    """

    exchange: object | None = "exchange"
    ends: Ends | None = (("127.0.0.1", 8000), ("127.0.0.1", 40000))
    arrived = True

    def __init__(self, sent: int, *, probing: bool) -> None:
        self.sent = sent
        self.probing = probing

    def isSent(self) -> bool:
        return self.arrived

    def sendByte(self) -> None:
        pass

    def takenUp(self) -> None:
        pass

    def takeBack(self) -> None:
        pass

    def giveKept(self) -> object:
        return None

    def closeIdle(self) -> None:
        pass
