"""
A slot at an edge, from the node: the node's side of the slot protocol.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.apps.announcing import Announcing
from brxy.apps.backend import Backend
from brxy.apps.connection import KeepAliveGuess
from brxy.errors import SlotProtocolError
from brxy.interfaces import Address, IExchangeEnd
from brxy.node.exchange import Exchange, FramedMove
from brxy.node.owner import NotWelcome, Owner
from brxy.slots.framed import Framed, FramedFactory
from brxy.tls.certificates import tlsFault
from brxy.transport.connection import Shared
from brxy.transport.stream import EpollTransport
from brxy.wire.frames import (
    DATA,
    DONE,
    END,
    GOAWAY,
    NAMES,
    NEWEST,
    OPEN,
    PING,
    PONG,
    READY,
    REFUSE,
    RESET,
    RETIRE,
    SPAWN,
    UNREADY,
    WELCOME,
    acceptFrame,
    dataFrames,
    frame,
    nextExchange,
    reasonPayload,
    reasonText,
)
from brxy.wire.greeting import Open, Welcome

__all__ = ["EdgeSlot", "EdgeSlotFactory", "NotWelcome", "Owner"]

# The edge sends no more of a request before it has seen ACCEPT.
UNACCEPTED_LIMIT = 65536


# What a slot is doing.
# ENDING: the client has ended its direction, and nothing more of it may come.
GREETING, IDLE, BUSY, ENDING, RESETTING = range(5)


@implementer(IExchangeEnd)
class EdgeSlot(Framed):
    """
    One connection to an edge; carries one exchange at a time.

    @ivar welcomed: fires when the edge has let us in, or fails with
        L{NotWelcome}.
    """

    def __init__(self, factory: EdgeSlotFactory) -> None:
        super().__init__(factory)
        self._factory = factory
        self._owner = factory.owner
        self._backend = factory.backend()
        self._phase = GREETING
        self._taken = 0
        self._going = False
        self._source: EpollTransport | None = None
        self._settling: Deferred[None] | None = None
        self.welcomed: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        self._tcp.write(self._owner.hello().encode())

    # Frames

    def frameReceived(self, kind: int, number: int, payload: bytes) -> None:
        """
        See L{Framed}.
        """
        if kind == OPEN:
            self._open(number, payload)
            return
        if number and number != self._number:
            raise SlotProtocolError(f"{NAMES[kind]} of exchange {number}, which is not on")
        received = _RECEIVED.get((self._phase, kind))
        if received is None and self._phase != GREETING:
            received = _RECEIVED_ANYTIME.get(kind)
        if received is None:
            raise SlotProtocolError(f"{NAMES[kind]} came out of turn")
        received(self, payload)

    def _welcome(self, payload: bytes) -> None:
        welcome = Welcome.decode(payload)
        self._phase = IDLE
        self.greeted()
        self.welcomed.callback(None)
        self._owner.welcomed(self, welcome)

    def _notWelcome(self, payload: bytes) -> None:
        self._notLetIn(reasonText(payload) or "the edge is leaving")

    def _open(self, number: int, payload: bytes) -> None:
        if self._phase != IDLE or number != nextExchange(self._number):
            raise SlotProtocolError("OPEN came out of turn")
        opening = Open.decode(payload)
        self._number = number
        if not self.pulling:
            # It crossed our UNREADY.
            self._tcp.write(frame(REFUSE, number, b"takes nothing more"))
            return
        self._phase = BUSY
        self._taken = 0
        self._relay = relay = Exchange(self, self._backend)
        self._owner.began()
        self._backend.begin(relay, opening.once, opening.client, b"")
        if self.congested:
            self._backend.pause()

    def _data(self, payload: bytes) -> None:
        self._backend.write(payload)
        self._taken += len(payload)
        if self._owed and self._taken >= UNACCEPTED_LIMIT:
            # The edge waits for it with the rest of the request.
            self.payOwed()

    def _endOfClient(self, _: bytes) -> None:
        self._phase = ENDING
        self._relay.ended(self)  # type: ignore[union-attr]

    def _done(self, payload: bytes) -> None:
        self._over()
        self._backend.done(payload == b"\x01")
        self._finish()

    def _resetByEdge(self, _: bytes) -> None:
        self._over()
        self._backend.reset()
        self._tcp.write(frame(RESET, self._number))
        self._finish()

    def _resetAnswered(self, _: bytes) -> None:
        self._factory.resets.stop(self)
        self._phase = IDLE
        self._finish()

    def _resetLate(self, _: bytes) -> None:
        # It crossed our REFUSE.
        self._tcp.write(frame(RESET, self._number))

    def _newest(self, payload: bytes) -> None:
        self._owner.setNewest(payload == b"\x01")

    def _retire(self, _: bytes) -> None:
        self._owner.retire()

    def _goAway(self, _: bytes) -> None:
        self._going = True
        self.unready()
        if self._phase == IDLE:
            self.close()

    # As the edge's end of an exchange

    def write(self, data: bytes) -> None:
        """
        See L{IExchangeEnd}.
        """
        if self._owed:
            self._tcp.write(self.takeOwed() + dataFrames(self._number, data))
        else:
            self._tcp.write(dataFrames(self._number, data))

    def moveFrom(self, source: EpollTransport | None) -> None:
        """
        The app sends much: have it moved here, as long as that is so, in
        frames, but unread.
        """
        target = self.transport
        if source is not None and type(target) is EpollTransport:
            self._source = source
            source.moveTo(FramedMove(target, self._number))

    def end(self) -> None:
        """
        See L{IExchangeEnd}.
        """
        self._tcp.write(self.takeOwed() + frame(END, self._number))

    def reset(self) -> None:
        """
        See L{IExchangeEnd}.
        """
        self.resetByApp("")

    def oweAccept(self) -> None:
        """
        The app gets the bytes: say so with its first answer, or soon.
        """
        self._owed = acceptFrame(self._number)
        if self._taken >= UNACCEPTED_LIMIT:
            self.payOwed()
        else:
            self._factory.owing.start(self)

    def refuse(self, reason: str) -> None:
        """
        No byte reached the app: another instance may have the exchange.
        """
        self._over()
        self.pulling = False
        self._tcp.write(frame(REFUSE, self._number, reasonPayload(reason)))
        self._finish()
        self._owner.rest(self)

    def resetByApp(self, reason: str) -> None:
        """
        The app broke off.
        """
        awaited = self.takeOwed()
        self._over()
        self._phase = RESETTING
        self._factory.resets.start(self)
        self._tcp.write(awaited + frame(RESET, self._number, reasonPayload(reason)))

    def _over(self) -> None:
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
        self._owner.finished()

    # What the node says

    def ready(self) -> None:
        """
        Pull: from now on this slot takes exchanges.
        """
        if not self.pulling and not self._going and self._phase != GREETING and self.alive:
            self.pulling = True
            self._tcp.write(frame(READY))

    def unready(self) -> None:
        """
        This slot takes no more exchanges.
        """
        if self.pulling:
            self.pulling = False
            self._tcp.write(frame(UNREADY))

    def settle(self) -> Deferred[None]:
        """
        See what the edge said before it heard what was said till now: an OPEN
        that crossed our UNREADY is refused, and not lost with this slot.

        @return: fires when that is done, or the slot is gone.
        """
        settling: Deferred[None] = Deferred()
        if self._phase == GREETING or not self.alive:
            settling.callback(None)
        else:
            self._settling = settling
            self.ask()
        return settling

    def _pong(self, payload: bytes) -> None:
        super()._pong(payload)
        if not self._asked:
            self._settled()

    def _settled(self) -> None:
        settling, self._settling = self._settling, None
        if settling is not None:
            settling.callback(None)

    def askForRoll(self) -> bool:
        """
        Ask the edge to roll our route.

        @return: whether it could be asked.
        """
        if self._phase == GREETING or not self.alive:
            return False
        self._tcp.write(frame(SPAWN))
        return True

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
        self._log.warn("dropped a slot at the edge: {why}", why=why)
        self.abort()

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._factory.forget(self)
        self.pulling = False
        self._notLetIn(tlsFault(reason.value) or "the edge closed the connection")
        busy = self._phase >= BUSY
        self._phase, self._relay = IDLE, None
        self._backend.reset()
        if busy:
            self._owner.finished()
        self._settled()

    def _notLetIn(self, why: str) -> None:
        if not self.welcomed.called:
            self.welcomed.errback(NotWelcome(why))


_Received = Callable[[EdgeSlot, bytes], None]

#: What a frame does in the phase that a slot is in.
_RECEIVED: dict[tuple[int, int], _Received] = {
    (GREETING, WELCOME): EdgeSlot._welcome,
    (GREETING, GOAWAY): EdgeSlot._notWelcome,
    (IDLE, RESET): EdgeSlot._resetLate,
    # Sent before the edge knew of our REFUSE.
    (IDLE, DATA): EdgeSlot._ignore,
    (IDLE, END): EdgeSlot._ignore,
    (BUSY, DATA): EdgeSlot._data,
    (BUSY, END): EdgeSlot._endOfClient,
    (BUSY, DONE): EdgeSlot._done,
    (BUSY, RESET): EdgeSlot._resetByEdge,
    (ENDING, DONE): EdgeSlot._done,
    (ENDING, RESET): EdgeSlot._resetByEdge,
    (RESETTING, DATA): EdgeSlot._ignore,
    (RESETTING, END): EdgeSlot._ignore,
    (RESETTING, DONE): EdgeSlot._resetAnswered,
    (RESETTING, RESET): EdgeSlot._resetAnswered,
}

#: What a frame does after the greeting, whatever the slot is doing.
_RECEIVED_ANYTIME: dict[int, _Received] = {
    NEWEST: EdgeSlot._newest,
    RETIRE: EdgeSlot._retire,
    GOAWAY: EdgeSlot._goAway,
    PING: EdgeSlot._ping,
    PONG: EdgeSlot._pong,
}


class EdgeSlotFactory(FramedFactory[EdgeSlot]):
    """
    Makes the slots of one node, and holds what they share.

    @param app: where the app is.
    @param send_proxy: the version of the PROXY protocol that it expects; L{None} if it
        does not.
    """

    def __init__(
        self, shared: Shared, owner: Owner, app: Address, send_proxy: str | None = None
    ) -> None:
        super().__init__(shared)
        self.owner = owner
        self._app = app
        self._send_proxy = send_proxy
        self._keep_alive = KeepAliveGuess()

    def backend(self) -> Backend:
        """
        The app's connection for one slot.
        """
        if self._send_proxy is None:
            return Backend(self.shared, self._app, self._keep_alive)
        return Announcing(self._send_proxy, self.shared, self._app, self._keep_alive)

    def buildProtocol(self, addr: IAddress | None) -> EdgeSlot:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return EdgeSlot(self)
