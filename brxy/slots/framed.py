"""
What both sides of a slot have in common: frames, and checks that the other side is
alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.protocol import Factory
from twisted.logger import Logger

from brxy.errors import PeerError, SlotProtocolError
from brxy.reactor.deadlines import Deadlines
from brxy.transport.connection import Connection, Shared
from brxy.transport.relay import Relay
from brxy.wire.frames import PING, PONG, Decoder, frame

__all__ = ["Framed", "FramedFactory"]

# Seconds.
GREETING_TIMEOUT = 10.0
RESET_TIMEOUT = 1.0
PING_INTERVAL = 15.0
# A frame that is held back, to be sent in one write with another, is sent alone after
# this (seconds).
OWED_DELAY = 0.01

# PING, UNREADY and SPAWN cost an answer, a log line or more, and need no exchange: the
# other side may send at most this many of them in PING_INTERVAL.
FRAME_BUDGET = 100

_F = TypeVar("_F", bound="Framed")


class Framed(Connection):
    """
    One slot connection, from either side.

    @ivar pulling: the node has sent READY, and nothing since that takes it back.
    """

    _log = Logger()

    def __init__(self, factory: FramedFactory[Any]) -> None:
        super().__init__(factory.shared)
        self._times = factory
        self._decoder = Decoder()
        self._relay: Relay | None = None
        self._number = 0
        self._owed = b""
        self._heard = False
        self._silent = 0
        self._pinged = 0
        self._budget_used = 0
        self.pulling = False

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        self.watchLink()
        self._times.slots.add(self)
        self._times.greetings.start(self)

    @property
    def stream(self) -> None:
        """
        Frames stand between the bytes of an exchange.
        """
        return None

    def greeted(self) -> None:
        """
        The greeting is over.
        """
        self._times.greetings.stop(self)
        self._times.quiet.start(self)

    # Frames

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        self._heard = True
        try:
            for kind, number, payload in self._decoder.feed(data):
                if not self.alive:
                    return
                self.frameReceived(kind, number, payload)
        except PeerError as error:
            self.drop(str(error))

    def frameReceived(self, kind: int, number: int, payload: bytes) -> None:
        """
        A frame came.

        @raise PeerError: it is not allowed now, or its payload is wrong.
        """
        raise NotImplementedError

    def sendFrame(self, kind: int, payload: bytes = b"") -> None:
        """
        Send a frame that is about the slot or its instance.
        """
        self._tcp.write(frame(kind, 0, payload))

    def ping(self) -> None:
        """
        Send PING: when PONG comes, the other side has read all that was sent before.
        """
        self._pinged += 1
        self.sendFrame(PING)

    def useBudget(self) -> None:
        """
        The other side has sent one of the frames that L{FRAME_BUDGET} limits.

        @raise SlotProtocolError: it has sent too many.
        """
        self._budget_used += 1
        if self._budget_used > FRAME_BUDGET:
            raise SlotProtocolError(
                f"more than {FRAME_BUDGET} PING, UNREADY and SPAWN in {PING_INTERVAL:.0f} s"
            )

    def pinged(self, _: bytes) -> None:
        """
        Answer a PING.
        """
        self.useBudget()
        self._tcp.write(frame(PONG))

    def ponged(self, _: bytes) -> None:
        """
        The peer has answered a PING.
        """
        if self._pinged:
            self._pinged -= 1

    def ignored(self, _: bytes) -> None:
        """
        Drop a frame that was sent before the peer knew that it has no place any more.
        """

    # Backpressure

    def filled(self) -> None:
        """
        The connection can take no more for now.
        """
        if self._relay is not None:
            self._relay.full(self)

    def emptied(self) -> None:
        """
        The connection can take more again.
        """
        if self._relay is not None:
            self._relay.drained(self)

    # Deadlines

    def takeOwed(self) -> bytes:
        """
        @return: the frame that is held back, if any; the caller sends it.
        """
        owed, self._owed = self._owed, b""
        if owed:
            self._times.owing.stop(self)
        return owed

    def payOwed(self) -> None:
        """
        Send the frame that is held back, if any.
        """
        owed = self.takeOwed()
        if self.alive and owed:
            self._tcp.write(owed)

    def isBetweenExchanges(self) -> bool:
        """
        @return: whether the slot carries no exchange.
        """
        raise NotImplementedError

    def checkAlive(self) -> None:
        """
        Send PING if nothing came for L{PING_INTERVAL}, and drop the slot if nothing
        came after that either.  While an exchange runs the kernel finds a cut link.
        """
        self._budget_used = 0
        if self._heard or not self.isBetweenExchanges():
            if not self._heard and self.isCut():
                self.drop("the link is cut")
                return
            self._heard = False
            self._silent = 0
        elif self._silent:
            self.drop("no answer to PING")
            return
        else:
            self._silent = 1
            self.ping()
        self._times.quiet.start(self)

    def dropSilently(self) -> None:
        """
        No greeting came in time, or no answer to a RESET.
        """
        self.abort()

    # The end of it

    def drop(self, why: str) -> None:
        """
        Close the slot: the other side broke the protocol, or does not answer.
        """
        raise NotImplementedError

    def peerEnded(self) -> None:
        """
        The other side closed the slot.
        """
        self.abort()

    def hungUp(self, broken: bool) -> None:
        """
        The other side closed the connection while it was not read.
        """
        self.abort()


class FramedFactory(Factory, Generic[_F]):
    """
    What the slots of one process share.

    @ivar slots: those connected now.
    @ivar greetings: deadlines for the greeting.
    @ivar resets: deadlines for the answer to a RESET.
    @ivar quiet: when to check whether the other side is alive.
    @ivar owing: deadlines for frames that are held back.
    """

    noisy = False

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.slots: set[_F] = set()
        self.greetings = self.deadlines(GREETING_TIMEOUT, Framed.dropSilently)
        self.resets = self.deadlines(RESET_TIMEOUT, Framed.dropSilently)
        self.quiet = self.deadlines(PING_INTERVAL, Framed.checkAlive)
        self.owing = self.deadlines(OWED_DELAY, Framed.payOwed)

    def deadlines(self, delay: float, expired: Callable[[Any], object]) -> Deadlines[_F]:
        """
        @return: new deadlines for the slots.
        """
        return Deadlines(self.shared.reactor, delay, expired)

    def allDeadlines(self) -> list[Deadlines[_F]]:
        """
        @return: all deadlines that a slot may have.
        """
        return [self.greetings, self.resets, self.quiet, self.owing]

    def forget(self, slot: _F) -> None:
        """
        A slot is closed.
        """
        self.slots.discard(slot)
        for deadlines in self.allDeadlines():
            deadlines.stop(slot)

    def stop(self) -> None:
        """
        Abort every slot, and stop every timer.
        """
        for slot in list(self.slots):
            slot.abort()
        for deadlines in self.allDeadlines():
            deadlines.stopAll()
