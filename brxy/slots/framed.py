"""
A slot, seen from either side: frames come in, and the other side is asked
whether it is alive when it is silent.
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
# What is awaited and finds no other frame to ride with goes alone after this.
OWED_DELAY = 0.01

# Frames that want an answer, a line in the log or more of us although no exchange
# is on: nobody needs many, so within PING_INTERVAL there may be this many.
MAX_WISHES = 100

_F = TypeVar("_F", bound="Framed")


class Framed(Connection):
    """
    One slot connection, from either side.

    @ivar pulling: the node's READY stands.
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
        self._asked = 0
        self._wishes = 0
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
        Both sides know each other.
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

        @raise PeerError: it must not come now, or says what it must not.
        """
        raise NotImplementedError

    def tell(self, kind: int, payload: bytes = b"") -> None:
        """
        Send a frame that is about the slot or its instance.
        """
        self._tcp.write(frame(kind, 0, payload))

    def ask(self) -> None:
        """
        Have the other side answer: it has read all that was sent before then.
        """
        self._asked += 1
        self.tell(PING)

    def wished(self) -> None:
        """
        The other side has sent one of the frames that are bounded by
        L{MAX_WISHES}.

        @raise SlotProtocolError: that was one too many.
        """
        self._wishes += 1
        if self._wishes > MAX_WISHES:
            raise SlotProtocolError(
                f"more than {MAX_WISHES} PING, UNREADY and SPAWN in {PING_INTERVAL:.0f} s"
            )

    def _ping(self, _: bytes) -> None:
        self.wished()
        self._tcp.write(frame(PONG))

    def _pong(self, _: bytes) -> None:
        if self._asked:
            self._asked -= 1

    def _ignore(self, _: bytes) -> None:
        pass

    # Backpressure

    def filled(self) -> None:
        """
        The other side takes no more for now.
        """
        if self._relay is not None:
            self._relay.full(self)

    def emptied(self) -> None:
        """
        The other side takes more again.
        """
        if self._relay is not None:
            self._relay.drained(self)

    # Times that are over

    def takeOwed(self) -> bytes:
        """
        What is awaited, for the one who sends it now.
        """
        awaited, self._owed = self._owed, b""
        if awaited:
            self._times.owing.stop(self)
        return awaited

    def payOwed(self) -> None:
        """
        What is awaited found nothing to ride with: it goes by itself.
        """
        awaited = self.takeOwed()
        if self.alive and awaited:
            self._tcp.write(awaited)

    def isBetweenExchanges(self) -> bool:
        """
        No exchange is on this slot.
        """
        raise NotImplementedError

    def checkAlive(self) -> None:
        """
        Nothing was heard for a while: ask, and give up if there is no answer
        either.  While an exchange runs its own end tells, or the kernel.
        """
        self._wishes = 0
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
            self.ask()
        self._times.quiet.start(self)

    def dropSilently(self) -> None:
        """
        No greeting, or no answer to a RESET, in its time.
        """
        self.abort()

    # The end of it

    def drop(self, why: str) -> None:
        """
        The other side did what it must not, or nothing for too long.
        """
        raise NotImplementedError

    def peerEnded(self) -> None:
        """
        The other side closed the slot.
        """
        self.abort()

    def hungUp(self, broken: bool) -> None:
        """
        The other side is gone, or gave the exchange up, while what it sent
        was not read.
        """
        self.abort()


class FramedFactory(Factory, Generic[_F]):
    """
    What the slots of one process share.

    @ivar slots: those connected now.
    @ivar greetings: those that have not been greeted yet.
    @ivar resets: those that wait for the answer to a RESET.
    @ivar quiet: when to see whether something was heard.
    @ivar owing: those with a frame that waits for another to ride with.
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
        Deadlines for the slots.
        """
        return Deadlines(self.shared.reactor, delay, expired)

    def allDeadlines(self) -> list[Deadlines[_F]]:
        """
        Every time that may run for a slot.
        """
        return [self.greetings, self.resets, self.quiet, self.owing]

    def forget(self, slot: _F) -> None:
        """
        This slot is gone.
        """
        self.slots.discard(slot)
        for deadlines in self.allDeadlines():
            deadlines.stop(slot)

    def stop(self) -> None:
        """
        Cut off every slot, and leave no timer behind.
        """
        for slot in list(self.slots):
            slot.abort()
        for deadlines in self.allDeadlines():
            deadlines.stopAll()
