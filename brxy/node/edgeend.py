"""
A slot to an edge as an end of exchanges, and as what a node reaches its edge by.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from brxy.apps.backend import Backend
from brxy.errors import BrxyError
from brxy.node.exchange import FramedMove
from brxy.slots.framed import Framed, FramedFactory
from brxy.tls.certificates import tlsFault
from brxy.transport.splice import MovableStream
from brxy.transport.stream import EpollTransport
from brxy.wire.frames import (
    END,
    NOT_TAKEN_UP,
    REFUSE,
    RESET,
    SPAWN,
    UNREADY,
    acceptFrame,
    dataFrames,
    frame,
    readyFrame,
    reasonPayload,
)
from brxy.wire.greeting import Hello, Welcome

__all__ = ["UNACCEPTED_LIMIT", "EdgeEnd", "NotWelcome", "Owner", "Places", "Refused"]

# The edge sends at most this much of a request before ACCEPT (bytes).
UNACCEPTED_LIMIT = 65536

# The phases of a slot.
# ENDING: the client has ended its direction, and must not send more.
GREETING, IDLE, BUSY, ENDING, RESETTING = range(5)


class NotWelcome(BrxyError):
    """
    The edge did not admit the node, or the slot was lost before it did.
    """


class Refused(NotWelcome):
    """
    The edge refused the node, and gave its reason.
    """


class Places(Protocol):
    """
    The places of the app, as slots need them.
    """

    def claim(self) -> bool:
        """
        Take a place for an exchange that begins.

        @return: whether one was left.
        """

    def exchangeOver(self) -> None:
        """
        An exchange is over, and its place is free.
        """


class Owner(Protocol):
    """
    The owner of all slots to one edge, as they need it.
    """

    def hello(self) -> Hello:
        """
        @return: what introduces the node to the edge.
        """

    def capacity(self) -> int | None:
        """
        @return: what READY is to report to the edge; L{None} if the capacity is fixed.
        """

    def welcomed(self, slot: EdgeEnd, welcome: Welcome) -> None:
        """
        The edge admitted the node on this slot.
        """

    def rest(self, slot: EdgeEnd) -> None:
        """
        A slot takes no exchanges for a moment, and then shall be ready again.
        """

    def refused(self, slot: EdgeEnd) -> None:
        """
        The app could not be reached for the exchange of a slot, which takes none for a moment.
        """

    def setNewest(self, newest: bool) -> None:
        """
        The edge reports whether the node is the newest instance of its route.
        """

    def retire(self) -> None:
        """
        The edge has the node finish its exchanges and end.
        """


class EdgeEnd(Framed):
    """
    One connection to an edge: carries one exchange at a time.

    @ivar welcomed: fires when the edge has admitted the node, or fails with
        L{NotWelcome}.
    """

    def __init__(
        self, factory: FramedFactory[Any], owner: Owner, places: Places, backend: Backend
    ) -> None:
        super().__init__(factory)
        self._owner = owner
        self._places = places
        self._backend = backend
        self._phase = GREETING
        self._taken = 0
        self._going = False
        self._source: MovableStream | None = None
        self._settling: Deferred[None] | None = None
        self.welcomed: Deferred[None] = Deferred()

    # As the edge's end of an exchange

    def write(self, data: bytes) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        if self._owed:
            self._tcp.write(self.takeOwed() + dataFrames(self._number, data))
        else:
            self._tcp.write(dataFrames(self._number, data))

    def moveFrom(self, source: MovableStream | None) -> None:
        """
        Move what the app sends to the edge, unread and in frames, while it sends much.
        """
        target = self.transport
        if source is not None and type(target) is EpollTransport:
            self._source = source
            source.moveTo(FramedMove(target, self._number))

    def end(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._tcp.write(self.takeOwed() + frame(END, self._number))

    def reset(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self.resetByApp("")

    def oweAccept(self) -> None:
        """
        The app's connection is up: send ACCEPT with the app's first bytes, or soon.
        """
        self._owed = acceptFrame(self._number)
        if self._taken >= UNACCEPTED_LIMIT:
            self.payOwed()
        else:
            self._times.owing.start(self)

    def accept(self) -> None:
        """
        The app has taken a probe up: send ACCEPT at once, since others wait to be probed.
        """
        self.oweAccept()
        self.payOwed()

    def refuse(self, reason: str) -> None:
        """
        The app got no more than the first byte: another instance may have the exchange.
        """
        self._endExchange()
        self._sendRefuse(reasonPayload(reason))
        self._finish()
        if reason != NOT_TAKEN_UP:
            self._owner.refused(self)

    def _sendRefuse(self, reason: bytes) -> None:
        self.pulling = False
        self._tcp.write(frame(REFUSE, self._number, reason))

    def resetByApp(self, reason: str) -> None:
        """
        The app broke off.
        """
        owed = self.takeOwed()
        self._endExchange()
        self._phase = RESETTING
        self._times.resets.start(self)
        self._tcp.write(owed + frame(RESET, self._number, reasonPayload(reason)))

    def _endExchange(self) -> None:
        self.takeOwed()
        if self._source is not None:
            self._source.stopMoving()
            self._source = None
        self._relay = None
        self._phase = IDLE
        if self._holds:
            self.resume()

    def _finish(self) -> None:
        if self._going and self.alive:
            self.close()
        self._places.exchangeOver()

    def isBetweenExchanges(self) -> bool:
        """
        See L{Framed}.
        """
        return self._phase == IDLE

    # As what the node reaches the edge by

    @property
    def mayPull(self) -> bool:
        """
        The edge has admitted the node on this slot, and is not leaving.
        """
        return not self._going and self._phase != GREETING and self.alive

    def ready(self) -> None:
        """
        Pull: from now on this slot takes exchanges.
        """
        if not self.pulling and self.mayPull:
            self.pulling = True
            self._tcp.write(readyFrame(self._owner.capacity()))

    def unready(self) -> None:
        """
        This slot takes no more exchanges.
        """
        if self.pulling:
            self.pulling = False
            self._tcp.write(frame(UNREADY))

    def settle(self) -> Deferred[None]:
        """
        Wait until the edge has read what was sent till now: an OPEN that crosses
        UNREADY is refused, and not lost with the slot.

        @return: fires when that is done, or the slot is gone.
        """
        settling: Deferred[None] = Deferred()
        if self._phase == GREETING or not self.alive:
            settling.callback(None)
        else:
            self._settling = settling
            self.ping()
        return settling

    def _settled(self) -> None:
        settling, self._settling = self._settling, None
        if settling is not None:
            settling.callback(None)

    def requestRoll(self) -> bool:
        """
        Request newer instances of the node's route.

        @return: whether the request could be sent.
        """
        if self._phase == GREETING or not self.alive:
            return False
        self._tcp.write(frame(SPAWN))
        return True

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._times.forget(self)
        self.pulling = False
        why = tlsFault(reason.value) or "the edge closed the connection"
        self._notAdmitted(NotWelcome(why))
        busy = self._phase >= BUSY
        self._phase, self._relay = IDLE, None
        self._backend.reset()
        self._backend.discard()
        if busy:
            self._places.exchangeOver()
        self._settled()

    def _notAdmitted(self, error: NotWelcome) -> None:
        if not self.welcomed.called:
            self.welcomed.errback(error)
