"""
A node's slot, at the edge: the edge's side of the slot protocol.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from brxy.edge.events import Events, SlotDropped
from brxy.edge.slots.nodeend import (
    ACCEPT_TIMEOUT,
    ENDING,
    GREETING,
    IDLE,
    OFFERED,
    RESETTING,
    RUNNING,
    Host,
    NodeEnd,
)
from brxy.edge.slots.refusals import Refusals
from brxy.errors import NodeEnded, SlotProtocolError
from brxy.reactor.deadlines import Deadlines
from brxy.slots.framed import FramedFactory
from brxy.tls.certificates import tlsFault
from brxy.transport.connection import Shared
from brxy.wire.frames import (
    ACCEPT,
    DATA,
    END,
    GOAWAY,
    HELLO,
    NAMES,
    PING,
    PONG,
    READY,
    REFUSE,
    RESET,
    SPAWN,
    UNREADY,
    frame,
    readyCapacity,
    reasonPayload,
    reasonText,
)
from brxy.wire.greeting import Hello

__all__ = ["RECEIVED", "RECEIVED_ANYTIME", "Host", "NodeSlot", "SlotFactory"]


class NodeSlot(NodeEnd):
    """
    One connection from a node, and the frames that come on it.
    """

    def __init__(self, factory: SlotFactory) -> None:
        super().__init__(factory, factory.host, factory.accepts)
        self._factory = factory

    def frameReceived(self, kind: int, number: int, payload: bytes) -> None:
        """
        See L{brxy.slots.framed.Framed}.
        """
        phase = self._phase
        if number and (number != self._number or phase <= IDLE):
            self._late(kind, number)
            return
        received = RECEIVED.get((phase, kind))
        if received is None:
            received = RECEIVED_ANYTIME.get(kind) if phase != GREETING else None
        if received is None:
            raise SlotProtocolError(f"{NAMES[kind]} came out of turn")
        # DATA may have been on its way when the node fell silent.
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
        # The app sent more than its response: what follows could be taken for the next one.
        if self._owed:
            self._owe(False)
        elif self._phase != RESETTING:
            self.drop("its app sends more than was asked for")

    def _hello(self, payload: bytes) -> None:
        hello = Hello.decode(payload)
        self.wants_client = hello.wants_client
        try:
            welcome = self._host.hello(self, hello)
        except NodeEnded:
            self.close()
            return
        self._phase = IDLE
        self._tcp.write(welcome.encode())
        self.greeted()

    def _ready(self, payload: bytes) -> None:
        if self.pulling:
            raise SlotProtocolError("READY, which stands already")
        capacity = readyCapacity(payload)
        self.pulling = True
        if capacity is not None:
            self._host.resized(self, capacity)
        if self._phase == IDLE:
            self._host.free(self)

    def _unready(self, _: bytes) -> None:
        self.useBudget()
        self.pulling = False
        self._host.unready(self)

    def _accept(self, _: bytes) -> None:
        self._phase = RUNNING
        self._accepts.stop(self)
        self._relay.accepted()  # type: ignore[union-attr]

    def _refuse(self, payload: bytes) -> None:
        relay = self._endExchange()
        self._accepts.stop(self)
        pulled, self.pulling = self.pulling, False
        self._host.exchangeOver(self)
        reason = reasonText(payload)
        # A node that drains has sent UNREADY before.
        self._host.unready(self, reason if pulled else "")
        if relay is not None:
            relay.refused(reason)

    def _refuseLate(self, _: bytes) -> None:
        # It crossed our RESET, which the node answers nevertheless.
        self.pulling = False
        self._host.unready(self)

    def _endOfApp(self, _: bytes) -> None:
        self._phase = ENDING
        self._relay.ended(self)  # type: ignore[union-attr]

    def _resetByNode(self, payload: bytes) -> None:
        self._tcp.write(frame(RESET, self._number))
        self._accepts.stop(self)
        relay = self._endExchange()
        self._host.exchangeOver(self)
        if relay is not None:
            relay.aborted(self, reasonText(payload) or "the app broke off")

    def _resetAnswered(self, _: bytes) -> None:
        self._times.resets.stop(self)
        self._phase = IDLE
        self._host.exchangeOver(self)
        self._host.drain()

    def _roll(self, _: bytes) -> None:
        self.useBudget()
        self._host.roll(self.instance.route)

    def drop(self, why: str) -> None:
        """
        See L{brxy.slots.framed.Framed}.
        """
        if self._phase == GREETING:
            self._factory.refusals.note(self._tcp.getPeer(), why)
            self.sendFrame(GOAWAY, reasonPayload(why))
            self.close()
        else:
            instance = self.instance
            self._factory.events.emit(SlotDropped(instance.route, instance.ticket, why))
            self.abort()


_Received = Callable[[NodeSlot, bytes], None]

#: The method for a frame, by the phase that the slot is in.
RECEIVED: dict[tuple[int, int], _Received] = {
    (GREETING, HELLO): NodeSlot._hello,
    (OFFERED, ACCEPT): NodeSlot._accept,
    (OFFERED, REFUSE): NodeSlot._refuse,
    (OFFERED, RESET): NodeSlot._resetByNode,
    (RUNNING, DATA): NodeSlot._data,
    (RUNNING, END): NodeSlot._endOfApp,
    (RUNNING, RESET): NodeSlot._resetByNode,
    (ENDING, RESET): NodeSlot._resetByNode,
    (RESETTING, ACCEPT): NodeSlot.ignored,
    (RESETTING, REFUSE): NodeSlot._refuseLate,
    (RESETTING, DATA): NodeSlot.ignored,
    (RESETTING, END): NodeSlot.ignored,
    (RESETTING, RESET): NodeSlot._resetAnswered,
}

#: The method for a frame in any phase after the greeting.
RECEIVED_ANYTIME: dict[int, _Received] = {
    READY: NodeSlot._ready,
    UNREADY: NodeSlot._unready,
    SPAWN: NodeSlot._roll,
    PING: NodeSlot.pinged,
    PONG: NodeSlot.ponged,
}


class SlotFactory(FramedFactory[NodeSlot]):
    """
    Makes the slots of nodes that dial in, and holds what they share.

    @ivar host: the edge, as its slots need it.
    @ivar accepts: for slots whose OPEN was not accepted yet.
    @ivar refusals: reports nodes that are not admitted.
    """

    def __init__(self, shared: Shared, host: Host, events: Events) -> None:
        super().__init__(shared)
        self.host = host
        self.events = events
        self.refusals = Refusals(shared.reactor, events)
        self.accepts = self.deadlines(ACCEPT_TIMEOUT, NodeSlot.notAccepted)

    def shakenOff(self, address: IAddress | None, reason: Failure) -> None:
        """
        A connection failed in its TLS handshake.
        """
        why = tlsFault(reason.value)
        if why is not None and address is not None:
            self.refusals.note(address, why)

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
