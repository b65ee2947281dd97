"""
Clients of a TCP frontend: a connection is one exchange.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.connection import Connection, Shared
from brxy.edge.brokerage import Brokerage
from brxy.edge.carrier import TCPCarrier
from brxy.edge.clients import HOLD_COPY, ClientFactory, addressText
from brxy.edge.exchange import Progress
from brxy.interfaces import IExchangeEnd

__all__ = ["TCPClient", "TCPFactory"]


@implementer(IExchangeEnd)
class TCPClient(Connection):
    """
    One client of a TCP frontend: its connection is one exchange.

    @ivar address: the client's address.
    """

    def __init__(self, factory: TCPFactory) -> None:
        super().__init__(factory.shared)
        self._factory = factory
        self.address = ""
        self._inbox = b""
        self._carrier: TCPCarrier | None = None

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        self.address = addressText(self._tcp.getPeer())
        factory = self._factory
        factory.clients.add(self)
        self._carrier = TCPCarrier(self, factory.brokerage, factory.route)
        factory.brokerage.wait(self._carrier.exchange)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self.alive:
            self._inbox = self._inbox + data if self._inbox else data
            self._advance()

    def _advance(self) -> None:
        carrier = self._carrier
        if carrier is None:
            return
        room = carrier.exchange.room()
        if carrier.exchange.progress == Progress.TUNNEL:
            data, self._inbox = self._inbox, b""
        else:
            data, self._inbox = self._inbox[:room], self._inbox[room:]
            if len(data) == room:
                self.hold(HOLD_COPY)
        if data:
            carrier.received(data)

    def reset(self) -> None:
        """
        See L{IExchangeEnd}.
        """
        self._carrier = None
        self.abort()

    def fail(self, status: int, text: str, retry_after: int | None) -> None:
        """
        TCP has no words for an error: the connection breaks.
        """
        self.reset()

    def accepted(self) -> None:
        """
        The app is there.
        """
        self.release(HOLD_COPY)
        self._advance()

    def next(self, keep: bool) -> None:
        """
        A TCP connection is one exchange: there is no next.
        """
        self._carrier = None
        self.close()

    def filled(self) -> None:
        """
        The client takes no more for now.
        """
        if self._carrier is not None:
            self._carrier.full(self)

    def emptied(self) -> None:
        """
        The client takes more again.
        """
        if self._carrier is not None:
            self._carrier.drained(self)

    def peerEnded(self) -> None:
        """
        The client half-closed.
        """
        if self._carrier is not None:
            self._carrier.clientEnded()

    def hungUp(self, broken: bool) -> None:
        """
        The client hung up while it was not read from; if it only half-closed,
        that is read in its turn.
        """
        if broken:
            self.abort()

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._factory.left(self)
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.hangup()


class TCPFactory(ClientFactory[TCPClient]):
    """
    Makes the connections of one TCP frontend.

    @ivar route: the frontend's name.
    """

    def __init__(self, shared: Shared, brokerage: Brokerage, route: str) -> None:
        super().__init__(shared, brokerage)
        self.route = route

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return TCPClient(self)
