"""
Clients of a TCP frontend: a connection is one exchange.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from brxy.broker.quota import Addresses
from brxy.edge.clients.connection import HOLD_COPY, ClientConnection, ClientFactory
from brxy.edge.clients.timeouts import Awaited
from brxy.edge.config.limits import Limits
from brxy.edge.dispatch import Dispatch
from brxy.edge.exchanges.table import TUNNEL
from brxy.edge.exchanges.tcp import TCPCarrier
from brxy.interfaces import IExchangeEnd
from brxy.transport.connection import Shared

__all__ = ["TCPClient", "TCPFactory"]


@implementer(IExchangeEnd)
class TCPClient(ClientConnection[TCPCarrier]):
    """
    One client of a TCP frontend: its connection is one exchange.
    """

    def __init__(self, factory: ClientFactory[Any], peer: IAddress | None = None) -> None:
        super().__init__(factory, peer)

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        if self.alive:
            self.begin()

    def begin(self) -> None:
        """
        The client is there.
        """
        self.beginOn(self._clients.route)

    def beginOn(self, route: str) -> None:
        """
        The client wants to talk to this route.
        """
        brokerage = self._clients.brokerage
        self._carrier = TCPCarrier(self, brokerage, route)
        brokerage.wait(self._carrier.exchange)

    def advance(self) -> None:
        """
        See L{ClientConnection}.
        """
        carrier = self._carrier
        if carrier is None:
            return
        room = carrier.exchange.room()
        if carrier.exchange.progress is TUNNEL:
            data, self._inbox = self._inbox, b""
        else:
            data, self._inbox = self._inbox[:room], self._inbox[room:]
            if len(data) == room:
                self.hold(HOLD_COPY)
        if data:
            carrier.received(data)

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
        self.advance()

    def next(self, keep: bool) -> None:
        """
        A TCP connection is one exchange: there is no next.
        """
        self.over()
        self.close()

    def awaits(self) -> Awaited:
        """
        See L{ClientConnection}.
        """
        carrier = self._carrier
        tunnel = carrier is not None and carrier.exchange.progress is TUNNEL
        return Awaited.TUNNEL if tunnel else Awaited.NOTHING

    def hungUp(self, broken: bool) -> None:
        """
        The client hung up while it was not read from; if it only half-closed,
        that is read in its turn.
        """
        if broken:
            self.abort()


class TCPFactory(ClientFactory[TCPClient]):
    """
    Makes the connections of one TCP frontend.

    @ivar route: the frontend's name.
    """

    def __init__(
        self,
        shared: Shared,
        brokerage: Dispatch,
        limits: Limits,
        addresses: Addresses,
        route: str,
    ) -> None:
        super().__init__(shared, brokerage, limits, addresses)
        self.route = route

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return TCPClient(self, addr)
