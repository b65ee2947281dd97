"""
Clients of a TCP frontend: a connection is one exchange.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol

from brxy.broker.quota import Addresses
from brxy.edge.clients.connection import HOLD_COPY, ClientConnection, ClientFactory
from brxy.edge.clients.timeouts import Awaited
from brxy.edge.config.limits import Limits
from brxy.edge.exchanges.ends import Dispatcher
from brxy.edge.exchanges.recorded import RecordedTCP
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.exchanges.table import TUNNEL
from brxy.edge.exchanges.tcp import TCPCarrier
from brxy.transport.connection import Shared

__all__ = ["TCPClient", "TCPFactory"]


class TCPClient(ClientConnection[TCPCarrier]):
    """
    One client of a TCP frontend.  It is also the L{brxy.edge.exchanges.ends.Client} of
    its one exchange.
    """

    def __init__(
        self, factory: ClientFactory[Any], peer: IAddress | None, route: str = ""
    ) -> None:
        """
        @param route: the route of its app, unless the client names it.
        """
        super().__init__(factory, peer)
        self._route = route

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        if self.alive:
            self.begin()

    def begin(self) -> None:
        """
        The client is connected.
        """
        self.beginOn(self._route)

    def beginOn(self, route: str) -> None:
        """
        Begin the exchange.
        """
        dispatcher = self._clients.dispatcher
        make = RecordedTCP if dispatcher.records.active else TCPCarrier
        self.carry(make(self, dispatcher, route))

    def carry(self, carrier: TCPCarrier) -> None:
        """
        Begin the exchange of a carrier.
        """
        self._carrier = carrier
        self._clients.dispatcher.wait(carrier.exchange)

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

    def fail(self, refusal: Refusal) -> None:
        """
        The exchange is over without an app.  TCP can't say why: the connection is reset.
        """
        self.reset()

    def accepted(self) -> None:
        """
        The app is connected.
        """
        self.release(HOLD_COPY)
        self.advance()

    def next(self) -> None:
        """
        The exchange is over, and with it the connection.
        """
        self.exchangeOver()
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
        The client hung up while it was not read from.  A half-close is read later, in its
        turn.
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
        dispatcher: Dispatcher,
        limits: Limits,
        addresses: Addresses,
        route: str,
    ) -> None:
        super().__init__(shared, dispatcher, limits, addresses)
        self.route = route
        self.kind = f"tcp {route}"

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return TCPClient(self, addr, self.route)
