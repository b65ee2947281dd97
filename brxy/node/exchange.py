"""
One exchange at a node: between a slot and the app's connection.
"""

from __future__ import annotations

from typing import Protocol

from brxy.apps.backend import Backend
from brxy.transport.relay import End, Relay
from brxy.transport.splice import MovableStream, Move, Target
from brxy.wire.frames import dataHead

__all__ = ["MOVE_LEAST", "MOVE_MOST", "Exchange", "FramedMove", "SlotSide"]

# Bytes are moved unread while an app sends at least this many at once.
MOVE_LEAST = 16 * 1024

# The largest frame of moved bytes: whole pages, since a frame that ends within a page
# costs a tenth more.
MOVE_MOST = 60 * 1024


class SlotSide(End, Protocol):
    """
    What an exchange needs of the slot that it is on.
    """

    def moveFrom(self, source: MovableStream | None) -> None:
        """
        Move what the app sends to the edge, unread, while it sends much.
        """

    def oweAccept(self) -> None:
        """
        Report to the edge that the app's connection is up.
        """

    def accept(self) -> None:
        """
        Report to the edge that the app has taken a probe up.
        """

    def refuse(self, reason: str) -> None:
        """
        Give the exchange back to the edge: no more than its first byte reached the app.
        """

    def resetByApp(self, reason: str) -> None:
        """
        Report to the edge that the app broke off.
        """


class Exchange(Relay):
    """
    Joins a slot and the app's connection.
    """

    near: SlotSide
    far: Backend

    def data(self, source: object, data: bytes) -> None:
        """
        The app sent bytes.  Those of the client come as frames, see
        L{brxy.node.slot.EdgeSlot}.
        """
        self.near.write(data)
        if len(data) > MOVE_MOST:
            self.near.moveFrom(self.far.stream)

    def accepted(self) -> None:
        """
        The app's connection is up.
        """
        self.near.oweAccept()

    def takenUp(self) -> None:
        """
        The app has taken the exchange up.
        """
        self.near.accept()

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
    Moves what an app sends to the edge in DATA frames, until the app sends little at
    once.
    """

    def __init__(self, target: Target, number: int) -> None:
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
