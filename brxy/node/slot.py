"""
A slot to an edge: the node's side of the slot protocol.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress

from brxy.apps.announcing import Announcing
from brxy.apps.backend import Backend
from brxy.apps.connection import KeepAliveGuess
from brxy.errors import SlotProtocolError
from brxy.interfaces import Address
from brxy.node.edgeend import (
    BUSY,
    ENDING,
    GREETING,
    IDLE,
    RESETTING,
    UNACCEPTED_LIMIT,
    EdgeEnd,
    NotWelcome,
    Owner,
    Places,
    Refused,
)
from brxy.node.exchange import Exchange
from brxy.slots.framed import FramedFactory
from brxy.transport.connection import Shared
from brxy.uptake.uptake import Uptake
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
    RECALL,
    RESET,
    RETIRE,
    WELCOME,
    frame,
    nextExchange,
    reasonText,
)
from brxy.wire.greeting import Open, Welcome

__all__ = ["RECEIVED", "RECEIVED_ANYTIME", "EdgeSlot", "EdgeSlotFactory", "NotWelcome", "Owner"]


class EdgeSlot(EdgeEnd):
    """
    One connection to an edge, and the frames that come on it.
    """

    def __init__(self, factory: EdgeSlotFactory) -> None:
        super().__init__(factory, factory.owner, factory.places, factory.backend())

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        self._tcp.write(self._owner.hello().encode())

    def frameReceived(self, kind: int, number: int, payload: bytes) -> None:
        """
        See L{brxy.slots.framed.Framed}.
        """
        if kind == OPEN:
            self._open(number, payload)
            return
        if number and number != self._number:
            raise SlotProtocolError(f"{NAMES[kind]} of exchange {number}, which is not on")
        received = RECEIVED.get((self._phase, kind))
        if received is None and self._phase != GREETING:
            received = RECEIVED_ANYTIME.get(kind)
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
        why = reasonText(payload)
        self._notAdmitted(Refused(why) if why else NotWelcome("the edge is leaving"))

    def _open(self, number: int, payload: bytes) -> None:
        if self._phase != IDLE or number != nextExchange(self._number):
            raise SlotProtocolError("OPEN came out of turn")
        opening = Open.decode(payload)
        self._number = number
        if not self.pulling:
            # It crossed our UNREADY.
            self._sendRefuse(b"takes nothing more")
            return
        if not self._places.claim():
            # Exchanges of other edges have taken every place.
            self._sendRefuse(b"has no place left")
            self._owner.rest(self)
            return
        self._phase = BUSY
        self._taken = 0
        self._relay = relay = Exchange(self, self._backend)
        self._backend.begin(relay, opening.once, opening.client, b"")
        if self.congested:
            self._backend.pause()

    def _data(self, payload: bytes) -> None:
        self._backend.write(payload)
        self._taken += len(payload)
        if self._owed and self._taken >= UNACCEPTED_LIMIT:
            # The edge sends the rest of the request after ACCEPT.
            self.payOwed()

    def _endOfClient(self, _: bytes) -> None:
        self._phase = ENDING
        self._relay.ended(self)  # type: ignore[union-attr]

    def _done(self, payload: bytes) -> None:
        if payload == RECALL:
            # If the app has taken the exchange up, the edge learns that from ACCEPT.
            self.payOwed()
            self._backend.recall()
            return
        self._endExchange()
        self._backend.done(payload == b"\x01")
        self._finish()

    def _resetByEdge(self, _: bytes) -> None:
        self._endExchange()
        self._backend.reset()
        self._tcp.write(frame(RESET, self._number))
        self._finish()

    def _recalledLate(self, payload: bytes) -> None:
        # It crossed our REFUSE or RESET.
        if payload != RECALL:
            raise SlotProtocolError("DONE came out of turn")

    def _doneAfterReset(self, payload: bytes) -> None:
        if payload != RECALL:
            self._resetAnswered(payload)

    def _resetAnswered(self, _: bytes) -> None:
        self._times.resets.stop(self)
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

    def ponged(self, payload: bytes) -> None:
        super().ponged(payload)
        if not self._pinged:
            self._settled()

    def drop(self, why: str) -> None:
        """
        See L{brxy.slots.framed.Framed}.
        """
        self._log.warn("closed a slot to the edge: {reason}", reason=why)
        self.abort()


_Received = Callable[[EdgeSlot, bytes], None]

#: The method for a frame, by the phase that the slot is in.
RECEIVED: dict[tuple[int, int], _Received] = {
    (GREETING, WELCOME): EdgeSlot._welcome,
    (GREETING, GOAWAY): EdgeSlot._notWelcome,
    (IDLE, RESET): EdgeSlot._resetLate,
    # Sent before the edge knew of our REFUSE.
    (IDLE, DATA): EdgeSlot.ignored,
    (IDLE, END): EdgeSlot.ignored,
    (IDLE, DONE): EdgeSlot._recalledLate,
    (BUSY, DATA): EdgeSlot._data,
    (BUSY, END): EdgeSlot._endOfClient,
    (BUSY, DONE): EdgeSlot._done,
    (BUSY, RESET): EdgeSlot._resetByEdge,
    (ENDING, DONE): EdgeSlot._done,
    (ENDING, RESET): EdgeSlot._resetByEdge,
    (RESETTING, DATA): EdgeSlot.ignored,
    (RESETTING, END): EdgeSlot.ignored,
    (RESETTING, DONE): EdgeSlot._doneAfterReset,
    (RESETTING, RESET): EdgeSlot._resetAnswered,
}

#: The method for a frame in any phase after the greeting.
RECEIVED_ANYTIME: dict[int, _Received] = {
    NEWEST: EdgeSlot._newest,
    RETIRE: EdgeSlot._retire,
    GOAWAY: EdgeSlot._goAway,
    PING: EdgeSlot.pinged,
    PONG: EdgeSlot.ponged,
}


class EdgeSlotFactory(FramedFactory[EdgeSlot]):
    """
    Makes the slots to one edge, and holds what they share.

    @param app: where the app is.
    @param send_proxy: the version of the PROXY protocol that the app expects; L{None}
        if it does not.
    @param uptake: learns the capacity of the app; L{None} if that is fixed.
    """

    def __init__(
        self,
        shared: Shared,
        owner: Owner,
        places: Places,
        app: Address,
        send_proxy: str | None = None,
        uptake: Uptake | None = None,
    ) -> None:
        super().__init__(shared)
        self.owner = owner
        self.places = places
        self._app = app
        self._send_proxy = send_proxy
        self._uptake = uptake
        self._keep_alive = KeepAliveGuess()

    def backend(self) -> Backend:
        """
        @return: what connects one slot to the app.
        """
        app = (self.shared, self._app, self._keep_alive, self._uptake)
        if self._send_proxy is None:
            return Backend(*app)
        return Announcing(self._send_proxy, *app)

    def buildProtocol(self, addr: IAddress | None) -> EdgeSlot:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return EdgeSlot(self)
