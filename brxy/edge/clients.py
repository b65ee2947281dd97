"""
What the clients' connections have in common, whatever they speak.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from brxy.connection import Connection, Shared
from brxy.edge.brokerage import Brokerage
from brxy.edge.carrier import Carrier
from brxy.edge.peer import addressText, endpointsText

__all__ = ["HOLD_COPY", "ClientConnection", "ClientFactory"]

# Why a client is not read from: no instance has accepted its exchange yet, and
# the copy that is kept of it is full.
HOLD_COPY = 2

_C = TypeVar("_C", bound="ClientConnection[Any]")
_K = TypeVar("_K", bound=Carrier)


class ClientConnection(Connection, Generic[_K]):
    """
    One client's connection, with the exchange that is on it.

    @param peer: who it is, where a port or a proxy has told.
    @ivar address: the address of whose connection it is.
    @ivar client: the address of who asks: the same, but that a proxy may tell of others.
    @ivar endpoints: see L{brxy.edge.peer.endpointsText}.
    """

    def __init__(self, factory: ClientFactory[Any], peer: IAddress | None = None) -> None:
        super().__init__(factory.shared)
        self.address = self.client = self.endpoints = ""
        self._peer = peer
        self._clients = factory
        self._inbox = b""
        self._carrier: _K | None = None

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        peer = self._tcp.getPeer() if self._peer is None else self._peer
        self.address = self.client = addressText(peer)
        self.endpoints = endpointsText(peer, self._tcp.getHost())
        self._clients.clients.add(self)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self.alive:
            self._inbox += data
            self.advance()

    def advance(self) -> None:
        """
        Do what can be done with what has come in.
        """
        raise NotImplementedError

    def over(self) -> None:
        """
        The exchange is not on this connection any more.
        """
        self._carrier = None

    def reset(self) -> None:
        """
        See L{brxy.interfaces.IExchangeEnd}.
        """
        self.over()
        self.abort()

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
        The client half-closed: between exchanges it is gone.
        """
        if self._carrier is None:
            self.close()
        else:
            self._carrier.clientEnded()

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._clients.left(self)
        carrier = self._carrier
        self.over()
        if carrier is not None:
            carrier.hangup()


class ClientFactory(Factory, Generic[_C]):
    """
    Makes clients' connections, and knows those that are there.

    @ivar clients: those connected now.
    """

    noisy = False

    def __init__(self, shared: Shared, brokerage: Brokerage) -> None:
        self.shared = shared
        self.brokerage = brokerage
        self.clients: set[_C] = set()
        self._empty: list[Deferred[None]] = []

    def left(self, client: _C) -> None:
        """
        A client is gone.
        """
        self.clients.discard(client)
        if not self.clients:
            empty, self._empty = self._empty, []
            for waiting in empty:
                waiting.callback(None)

    def whenEmpty(self) -> Deferred[None]:
        """
        @return: fires when no client is left.
        """
        waiting: Deferred[None] = Deferred()
        if self.clients:
            self._empty.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def abort(self) -> None:
        """
        Cut off whoever is still there.
        """
        for client in list(self.clients):
            client.abort()
