"""
A node's slot, at the edge: the edge's side of the slot protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.connection import Connection, Shared
from brxy.deadlines import Deadlines
from brxy.edge.instance import Instance
from brxy.errors import NodeRefused, SlotProtocolError
from brxy.interfaces import IExchangeEnd
from brxy.relay import Relay
from brxy.wire import (
    ACCEPT,
    DATA,
    DONE,
    END,
    FLAGS,
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
    Decoder,
    Hello,
    Open,
    dataFrames,
    frame,
    nextExchange,
    reasonPayload,
    reasonText,
)

if TYPE_CHECKING:
    from brxy.edge.brokerage import Brokerage

__all__ = ["NodeSlot", "SlotFactory"]

# Seconds.
HELLO_TIMEOUT = 10.0
ACCEPT_TIMEOUT = 5.0
RESET_TIMEOUT = 1.0
PING_INTERVAL = 15.0
# A DONE that finds no OPEN to ride with goes alone after this.
DONE_DELAY = 0.01

# What a slot is doing.
GREETING, IDLE, OFFERED, RUNNING, RESETTING = range(5)


@implementer(IExchangeEnd)
class NodeSlot(Connection):
    """
    One connection dialled by a node; carries one exchange at a time.

    @ivar instance: whose slot it is, once it has said HELLO.
    @ivar standing: the node's READY stands.
    """

    _log = Logger()

    instance: Instance

    def __init__(self, factory: SlotFactory) -> None:
        super().__init__(factory.shared)
        self._factory = factory
        self._brokerage = factory.brokerage
        self._decoder = Decoder()
        self._phase = GREETING
        self._number = 0
        self._relay: Relay | None = None
        self._owed = b""
        self._heard = False
        self._silent = 0
        self.standing = False

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        self.watchLink()
        self._factory.slots.add(self)
        self._factory.greetings.start(self)

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
                if kind == DATA and self._phase == RUNNING and number == self._number:
                    self._relay.data(self, payload)  # type: ignore[union-attr]
                else:
                    self._frame(kind, number, payload)
        except (SlotProtocolError, NodeRefused) as error:
            self._drop(str(error))

    def _frame(self, kind: int, number: int, payload: bytes) -> None:
        if number and (number != self._number or self._phase <= IDLE):
            self._late(kind, number)
            return
        received = _RECEIVED.get((self._phase, kind))
        if received is None:
            received = _RECEIVED_ANYTIME.get(kind) if self._phase != GREETING else None
        if received is None:
            raise SlotProtocolError(f"{NAMES[kind]} came out of turn")
        if self._phase != GREETING and self.instance.suspended:
            self._brokerage.answers(self.instance)
        received(self, payload)

    def _late(self, kind: int, number: int) -> None:
        # Of an exchange that the node did not know was over when it sent this.
        previous = self._number if self._phase == IDLE else (self._number - 2) % 255 + 1
        if not self._number or number != previous:
            raise SlotProtocolError(f"{NAMES[kind]} of exchange {number}, which never was")

    def _hello(self, payload: bytes) -> None:
        hello = Hello.decode(payload)
        welcome = self._brokerage.hello(self, hello)
        self._factory.greetings.stop(self)
        self._phase = IDLE
        self._tcp.write(welcome.encode())
        self._factory.quiet.start(self)

    def _ready(self, _: bytes) -> None:
        if self.standing:
            raise SlotProtocolError("READY, which stands already")
        self.standing = True
        if self._phase == IDLE:
            self._brokerage.free(self)

    def _unready(self, _: bytes) -> None:
        self.standing = False
        self._brokerage.unready(self)

    def _accept(self, _: bytes) -> None:
        self._phase = RUNNING
        self._factory.accepts.stop(self)
        self._relay.accepted()  # type: ignore[union-attr]

    def _refuse(self, payload: bytes) -> None:
        relay = self._over()
        self._factory.accepts.stop(self)
        self.standing = False
        self._brokerage.over(self)
        self._brokerage.unready(self)
        if relay is not None:
            relay.refused(reasonText(payload))

    def _refuseLate(self, _: bytes) -> None:
        # It crossed our RESET, which the node answers nevertheless.
        self.standing = False
        self._brokerage.unready(self)

    def _endOfApp(self, _: bytes) -> None:
        self._relay.ended(self)  # type: ignore[union-attr]

    def _resetByNode(self, payload: bytes) -> None:
        self._tcp.write(frame(RESET, self._number))
        self._factory.accepts.stop(self)
        relay = self._over()
        self._brokerage.over(self)
        if relay is not None:
            # Offered again, it goes before those that wait, so it comes first.
            relay.aborted(self, reasonText(payload) or "the app broke off")
        self._free()

    def _resetAnswered(self, _: bytes) -> None:
        self._factory.resets.stop(self)
        self._phase = IDLE
        self._brokerage.over(self)
        self._free()

    def _ignore(self, _: bytes) -> None:
        pass

    def _roll(self, _: bytes) -> None:
        self._brokerage.roll(self.instance.route)

    def _ping(self, _: bytes) -> None:
        self._tcp.write(frame(PONG))

    def _free(self) -> None:
        if self.standing:
            self._brokerage.free(self)

    def _over(self) -> Relay | None:
        relay, self._relay = self._relay, None
        self._phase = IDLE
        self.resume()
        return relay

    # As an end of an exchange

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None:
        """
        Begin an exchange, in one write with what is owed for the last.
        """
        self._number = number = nextExchange(self._number)
        self._relay = relay
        self._phase = OFFERED
        opening = Open(kind, once, client).encode(number)
        self._factory.accepts.start(self)
        self._tcp.write(b"".join((self._owed, opening, dataFrames(number, first))))
        if self._owed:
            self._owed = b""
            self._factory.owing.stop(self)

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
        self._owed = frame(DONE, self._number, FLAGS[keep])
        self._factory.owing.start(self)
        self._brokerage.over(self)
        self._free()

    def reset(self) -> None:
        """
        Abort the exchange.  See L{IExchangeEnd}.
        """
        self._over()
        self._phase = RESETTING
        self._factory.accepts.stop(self)
        self._factory.resets.start(self)
        self._tcp.write(frame(RESET, self._number))

    def filled(self) -> None:
        """
        The node takes no more for now.
        """
        if self._relay is not None:
            self._relay.full(self)

    def emptied(self) -> None:
        """
        The node takes more again.
        """
        if self._relay is not None:
            self._relay.drained(self)

    # What the instance is told

    def tell(self, kind: int, payload: bytes = b"") -> None:
        """
        Send a frame that is about the instance: NEWEST, RETIRE or GOAWAY.
        """
        self._tcp.write(frame(kind, 0, payload))

    # Times that are over

    def payOwed(self) -> None:
        """
        No exchange followed soon: DONE goes by itself.
        """
        owed, self._owed = self._owed, b""
        if self.alive and owed:
            self._tcp.write(owed)

    def notAccepted(self) -> None:
        """
        The instance does not answer: the exchange counts as lost.
        """
        relay = self._relay
        self._brokerage.silent(self.instance)
        self.reset()
        if relay is not None:
            relay.aborted(self, f"not accepted within {ACCEPT_TIMEOUT:.0f} s")

    def checkAlive(self) -> None:
        """
        Nothing was heard for a while: ask, and give up if there is no answer
        either.  While an exchange runs its own end tells.
        """
        if self._heard or self._phase != IDLE:
            self._heard = False
            self._silent = 0
        elif self._silent:
            self._drop("no answer to PING")
            return
        else:
            self._silent = 1
            self._tcp.write(frame(PING))
        self._factory.quiet.start(self)

    def dropSilently(self) -> None:
        """
        It did not say HELLO, or did not answer a RESET, in its time.
        """
        self.abort()

    # The end of it

    def _drop(self, why: str) -> None:
        self._log.warn("dropped a slot of {who}: {why}", who=self._who(), why=why)
        if self._phase == GREETING:
            self._tcp.write(frame(GOAWAY, 0, reasonPayload(why)))
            self.close()
        else:
            self.abort()

    def _who(self) -> str:
        if self._phase == GREETING:
            return f"an unknown node at {self._tcp.getPeer()}"
        return f"{self.instance.route}/{self.instance.ticket}"

    def peerEnded(self) -> None:
        """
        The node closed the slot.
        """
        self.abort()

    def hungUp(self, broken: bool) -> None:
        """
        The node is gone while the client could take no more.
        """
        self.abort()

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        factory = self._factory
        factory.forget(self)
        if self._phase == GREETING:
            return
        relay, self._relay = self._relay, None
        self.standing = False
        if self._phase != IDLE:
            self._brokerage.over(self)
        self._brokerage.closed(self)
        if relay is not None:
            relay.aborted(self, "the node's slot was lost")


_Received = Callable[[NodeSlot, bytes], None]

#: What a frame does in the phase that a slot is in.
_RECEIVED: dict[tuple[int, int], _Received] = {
    (GREETING, HELLO): NodeSlot._hello,
    (OFFERED, ACCEPT): NodeSlot._accept,
    (OFFERED, REFUSE): NodeSlot._refuse,
    (OFFERED, RESET): NodeSlot._resetByNode,
    (RUNNING, END): NodeSlot._endOfApp,
    (RUNNING, RESET): NodeSlot._resetByNode,
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
    PONG: NodeSlot._ignore,
}


class SlotFactory(Factory):
    """
    Makes the slots of nodes that dial in, and holds what they share.

    @ivar slots: those connected now.
    """

    noisy = False

    def __init__(self, shared: Shared, brokerage: Brokerage) -> None:
        self.shared = shared
        self.brokerage = brokerage
        self.slots: set[NodeSlot] = set()
        reactor = shared.reactor
        self.greetings = Deadlines(reactor, HELLO_TIMEOUT, NodeSlot.dropSilently)
        self.accepts = Deadlines(reactor, ACCEPT_TIMEOUT, NodeSlot.notAccepted)
        self.resets = Deadlines(reactor, RESET_TIMEOUT, NodeSlot.dropSilently)
        self.quiet = Deadlines(reactor, PING_INTERVAL, NodeSlot.checkAlive)
        self.owing = Deadlines(reactor, DONE_DELAY, NodeSlot.payOwed)

    def buildProtocol(self, addr: IAddress) -> NodeSlot:
        """
        See L{Factory}.
        """
        return NodeSlot(self)

    def forget(self, slot: NodeSlot) -> None:
        """
        This slot is gone.
        """
        self.slots.discard(slot)
        for deadlines in (self.greetings, self.accepts, self.resets, self.quiet, self.owing):
            deadlines.stop(slot)

    def abort(self) -> None:
        """
        Cut off every slot.
        """
        for slot in list(self.slots):
            slot.abort()
        for deadlines in (self.greetings, self.accepts, self.resets, self.quiet, self.owing):
            deadlines.stopAll()
