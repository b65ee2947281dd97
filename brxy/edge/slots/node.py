"""
A node's slot, at the edge: the edge's side of the slot protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.broker.offer import Offer
from brxy.edge.slots.refusals import Refusals
from brxy.errors import SlotProtocolError
from brxy.interfaces import IExchangeEnd
from brxy.reactor.deadlines import Deadlines
from brxy.scaler.instance import Instance
from brxy.slots.framed import Framed, FramedFactory
from brxy.tls.certificates import bears, tlsFault
from brxy.transport.connection import Shared
from brxy.transport.relay import Relay
from brxy.wire.frames import (
    ACCEPT,
    DATA,
    END,
    GOAWAY,
    HELLO,
    NAMES,
    OPEN,
    PING,
    PONG,
    READY,
    REFUSE,
    RESET,
    SPAWN,
    UNREADY,
    dataFrames,
    doneFrame,
    frame,
    nextExchange,
    reasonPayload,
    reasonText,
)
from brxy.wire.greeting import Hello, openPayload

if TYPE_CHECKING:
    from brxy.edge.dispatch import Dispatch

__all__ = ["NodeSlot", "SlotFactory"]

# Seconds.
ACCEPT_TIMEOUT = 5.0

# What a slot is doing.
# ENDING: the app has ended its direction, and nothing more of it may come.
GREETING, IDLE, OFFERED, RUNNING, ENDING, RESETTING = range(6)


@implementer(IExchangeEnd)
class NodeSlot(Framed):
    """
    One connection dialled by a node; carries one exchange at a time.

    @ivar instance: whose slot it is, once it has said HELLO.
    @ivar offer: see L{brxy.broker.offer.Slot}; once it has said HELLO, too.
    @ivar wants_client: see L{brxy.edge.exchanges.ends.SlotEnd}; once it has said HELLO, too.
    """

    instance: Instance
    offer: Offer
    wants_client: bool

    def __init__(self, factory: SlotFactory) -> None:
        super().__init__(factory)
        self._factory = factory
        self._host = factory.brokerage
        self._phase = GREETING
        self._previous = 0
        self._kept = False

    # Frames

    def frameReceived(self, kind: int, number: int, payload: bytes) -> None:
        """
        See L{Framed}.
        """
        phase = self._phase
        if number and (number != self._number or phase <= IDLE):
            self._late(kind, number)
            return
        received = _RECEIVED.get((phase, kind))
        if received is None:
            received = _RECEIVED_ANYTIME.get(kind) if phase != GREETING else None
        if received is None:
            raise SlotProtocolError(f"{NAMES[kind]} came out of turn")
        # Bytes may have been on their way when it fell silent.
        if kind != DATA and phase != GREETING and self.offer.suspended:
            self._host.answers(self.instance)
        received(self, payload)

    def _data(self, payload: bytes) -> None:
        self._relay.data(self, payload)  # type: ignore[union-attr]

    def _late(self, kind: int, number: int) -> None:
        # Of an exchange that the node did not know was over when it sent this.
        if number != (self._number if self._phase == IDLE else self._previous):
            raise SlotProtocolError(f"{NAMES[kind]} of exchange {number}, which never was")
        if kind == DATA and self._kept:
            self._surplus()

    def _surplus(self) -> None:
        # The app sent more than its response was.  What else comes of it would
        # be taken for the next response.
        if self._owed:
            self._owe(False)
        elif self._phase != RESETTING:
            self.drop("its app sends more than was asked for")

    def _hello(self, payload: bytes) -> None:
        hello = Hello.decode(payload)
        self.wants_client = hello.wants_client
        welcome = self._host.hello(self, hello)
        self._phase = IDLE
        self._tcp.write(welcome.encode())
        self.greeted()

    def _ready(self, _: bytes) -> None:
        if self.pulling:
            raise SlotProtocolError("READY, which stands already")
        self.pulling = True
        if self._phase == IDLE:
            self._host.free(self)

    def _unready(self, _: bytes) -> None:
        self.wished()
        self.pulling = False
        self._host.unready(self)

    def _accept(self, _: bytes) -> None:
        self._phase = RUNNING
        self._factory.accepts.stop(self)
        self._relay.accepted()  # type: ignore[union-attr]

    def _refuse(self, payload: bytes) -> None:
        relay = self._over()
        self._factory.accepts.stop(self)
        self.pulling = False
        self._host.exchangeOver(self)
        self._host.unready(self)
        if relay is not None:
            relay.refused(reasonText(payload))

    def _refuseLate(self, _: bytes) -> None:
        # It crossed our RESET, which the node answers nevertheless.
        self.pulling = False
        self._host.unready(self)

    def _endOfApp(self, _: bytes) -> None:
        self._phase = ENDING
        self._relay.ended(self)  # type: ignore[union-attr]

    def _resetByNode(self, payload: bytes) -> None:
        self._tcp.write(frame(RESET, self._number))
        self._factory.accepts.stop(self)
        relay = self._over()
        self._host.exchangeOver(self)
        if relay is not None:
            relay.aborted(self, reasonText(payload) or "the app broke off")

    def _resetAnswered(self, _: bytes) -> None:
        self._factory.resets.stop(self)
        self._phase = IDLE
        self._host.exchangeOver(self)
        self._host.drain()

    def _roll(self, _: bytes) -> None:
        self.wished()
        self._host.roll(self.instance.route)

    def _over(self) -> Relay | None:
        relay, self._relay = self._relay, None
        self._phase = IDLE
        if self._holds:
            self.resume()
        return relay

    # As an end of an exchange

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None:
        """
        Begin an exchange, in one write with what is awaited for the last.
        """
        self._previous = self._number
        self._number = number = nextExchange(self._number)
        self._relay = relay
        self._phase = OFFERED
        opening = frame(OPEN, number, openPayload(kind, once, client))
        self._factory.accepts.start(self)
        self._tcp.write(b"".join((self.takeOwed(), opening, dataFrames(number, first))))

    def write(self, data: bytes) -> None:
        """
        See L{IExchangeEnd}.
        """
        self._tcp.write(dataFrames(self._number, data))

    def end(self) -> None:
        """
        See L{IExchangeEnd}.
        """
        self._tcp.write(frame(END, self._number))

    def done(self, keep: bool) -> None:
        """
        The exchange is over.

        @param keep: the app's connection can serve again.
        """
        self._over()
        self._owe(keep)
        self._factory.owing.start(self)
        self._host.exchangeOver(self)

    def _owe(self, keep: bool) -> None:
        self._kept = keep
        self._owed = doneFrame(self._number, keep)

    def reset(self) -> None:
        """
        Abort the exchange.  See L{IExchangeEnd}.
        """
        self._over()
        self._phase = RESETTING
        self._factory.accepts.stop(self)
        self._factory.resets.start(self)
        self._tcp.write(frame(RESET, self._number))

    # Times that are over

    def notAccepted(self) -> None:
        """
        The instance does not answer: the exchange counts as lost.
        """
        relay = self._relay
        self._host.silent(self.instance)
        self.reset()
        if relay is not None:
            relay.aborted(self, f"not accepted within {ACCEPT_TIMEOUT:.0f} s")

    def isBetweenExchanges(self) -> bool:
        """
        See L{Framed}.
        """
        return self._phase == IDLE

    # The end of it

    def drop(self, why: str) -> None:
        """
        See L{Framed}.
        """
        if self._phase == GREETING:
            self._factory.refusals.say(self._tcp.getPeer(), why)
            self.tell(GOAWAY, reasonPayload(why))
            self.close()
        else:
            self._log.warn(
                "dropped a slot of {i.route}/{i.ticket}: {why}", i=self.instance, why=why
            )
            self.abort()

    def named(self) -> Callable[[str], bool] | None:
        """
        @return: whether the certificate that the node has shown bears a name;
            L{None} if it has shown none.
        """
        shown = getattr(self.transport, "getPeerCertificate", lambda: None)()
        return None if shown is None else partial(bears, shown.to_cryptography())

    def letGo(self) -> None:
        """
        Nothing is left of the instance.  What it sent before, a REFUSE maybe,
        is still to be read; the end of the connection should follow.
        """
        self._quit()
        if self.alive:
            self._factory.resets.start(self)

    def abort(self) -> None:
        """
        Close at once.  C{closed} comes in a later turn, and an exchange that
        was matched before that would be lost.
        """
        self._quit()
        super().abort()

    def _quit(self) -> None:
        if self.pulling:
            self.pulling = False
            self._host.leaves(self)

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._factory.forget(self)
        if self._phase == GREETING:
            return
        relay, self._relay = self._relay, None
        self.pulling = False
        if self._phase != IDLE:
            self._host.exchangeOver(self)
        self._host.closed(self)
        if relay is not None:
            relay.aborted(self, "the node's slot was lost")


_Received = Callable[[NodeSlot, bytes], None]

#: What a frame does in the phase that a slot is in.
_RECEIVED: dict[tuple[int, int], _Received] = {
    (GREETING, HELLO): NodeSlot._hello,
    (OFFERED, ACCEPT): NodeSlot._accept,
    (OFFERED, REFUSE): NodeSlot._refuse,
    (OFFERED, RESET): NodeSlot._resetByNode,
    (RUNNING, DATA): NodeSlot._data,
    (RUNNING, END): NodeSlot._endOfApp,
    (RUNNING, RESET): NodeSlot._resetByNode,
    (ENDING, RESET): NodeSlot._resetByNode,
    (RESETTING, ACCEPT): NodeSlot._ignore,
    (RESETTING, REFUSE): NodeSlot._refuseLate,
    (RESETTING, DATA): NodeSlot._ignore,
    (RESETTING, END): NodeSlot._ignore,
    (RESETTING, RESET): NodeSlot._resetAnswered,
}

#: What a frame does after the greeting, whatever the slot is doing.
_RECEIVED_ANYTIME: dict[int, _Received] = {
    READY: NodeSlot._ready,
    UNREADY: NodeSlot._unready,
    SPAWN: NodeSlot._roll,
    PING: NodeSlot._ping,
    PONG: NodeSlot._pong,
}


class SlotFactory(FramedFactory[NodeSlot]):
    """
    Makes the slots of nodes that dial in, and holds what they share.

    @ivar accepts: slots whose OPEN was not accepted yet.
    @ivar refusals: takes note of those who may not be nodes.
    """

    def __init__(self, shared: Shared, brokerage: Dispatch) -> None:
        super().__init__(shared)
        self.brokerage = brokerage
        self.refusals = Refusals(shared.reactor)
        self.accepts = self.deadlines(ACCEPT_TIMEOUT, NodeSlot.notAccepted)

    def shakenOff(self, address: IAddress | None, reason: Failure) -> None:
        """
        Somebody did not get through the handshake of TLS.
        """
        why = tlsFault(reason.value)
        if why is not None and address is not None:
            self.refusals.say(address, why)

    def buildProtocol(self, addr: IAddress | None) -> NodeSlot:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return NodeSlot(self)

    def allDeadlines(self) -> list[Deadlines[NodeSlot]]:
        """
        See L{FramedFactory}.
        """
        return [*super().allDeadlines(), self.accepts]
