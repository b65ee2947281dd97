"""
One exchange on a node's slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brxy.apps.backend import Backend
from brxy.transport.relay import Relay
from brxy.transport.splice import Move
from brxy.transport.stream import EpollTransport
from brxy.wire.frames import (
    dataHead,
)

if TYPE_CHECKING:
    from brxy.node.slot import EdgeSlot

__all__ = ["MOVE_LEAST", "MOVE_MOST", "Exchange", "FramedMove"]

# As long as an app sends so many bytes at once, they are moved unread.
MOVE_LEAST = 16 * 1024


# ... in frames of whole pages: one that ends within a page costs a tenth more.
MOVE_MOST = 60 * 1024


class Exchange(Relay):
    """
    Joins the slot and the app's connection.
    """

    near: EdgeSlot
    far: Backend

    def data(self, source: object, data: bytes) -> None:
        """
        Bytes came from the app; those of the client come as frames, see
        L{EdgeSlot}.
        """
        self.near.write(data)
        if len(data) > MOVE_MOST:
            self.near.moveFrom(self.far.stream)

    def accepted(self) -> None:
        """
        The app's connection is up.
        """
        self.near.oweAccept()

    def refused(self, reason: str) -> None:
        """
        The app takes no connection.
        """
        self.near.refuse(reason)

    def aborted(self, source: object, reason: str) -> None:
        """
        The app broke off.
        """
        self.near.resetByApp(reason)


class FramedMove(Move):
    """
    What an app sends goes to the edge, each time in a DATA frame, until little
    comes at once.
    """

    def __init__(self, target: EpollTransport, number: int) -> None:
        super().__init__(target, MOVE_MOST, lambda: None)
        self._number = number

    def head(self, count: int) -> bytes:
        """
        See L{Move}.
        """
        return dataHead(self._number, count)

    def goesOn(self, count: int) -> bool:
        """
        See L{Move}.
        """
        self.count = MOVE_MOST
        return count >= MOVE_LEAST
