"""
What the clients' connections have in common, whatever they speak.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from brxy.broker.quota import Addresses
from brxy.edge.clients.peer import addressText, endpointsText
from brxy.edge.clients.timeouts import Awaited, Timeouts
from brxy.edge.config.limits import Limits
from brxy.edge.dispatch import Dispatch
from brxy.edge.exchanges.carrier import Carrier
from brxy.reactor.deadlines import Deadlines
from brxy.transport.connection import Connection, Shared

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
    """

    # It counts as one of its address.
    _counted = False
    # What it awaited at the last look, at how many looks now, and what it had done by
    # the first of them.
    _owed = Awaited.NOTHING
    _looks = 0
    _done = 0

    def __init__(self, factory: ClientFactory[Any], peer: IAddress | None = None) -> None:
        super().__init__(factory.shared)
        self.address = self.client = ""
        self._endpoints: str | None = None
        self._peer = peer
        self._clients: Any = factory
        self._inbox = b""
        self._carrier: _K | None = None

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        if self._peer is None:
            self._peer = self._tcp.getPeer()
        self.address = self.client = addressText(self._peer)
        self._clients.clients.add(self)
        self._counted = self._clients.addresses.add(self.address)
        if self._counted:
            self._clients.looks.start(self)
        else:
            self.abort()

    @property
    def endpoints(self) -> str:
        """
        See L{endpointsText}.  To find it out takes a system call, and few want to know.
        """
        if self._endpoints is None:
            self._endpoints = endpointsText(self._peer, self._tcp.getHost())
        return self._endpoints

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

    # Timeouts

    def look(self) -> None:
        """
        Does it do what it has to do?
        """
        clients = self._clients
        timeouts = clients.timeouts
        awaited = self.awaits()
        if awaited > Awaited.REQUEST and not self.isCounted():
            awaited = Awaited.NOTHING
        if awaited != self._owed or not self._looks:
            self._owed = awaited
            self._looks = 0
            self._done = self._countDone(awaited)
        self._looks += 1
        if timeouts.limits(awaited) and timeouts.isOver(awaited, self._looks):
            if not timeouts.isEnough(awaited, self._countDone(awaited) - self._done):
                self.giveUp(awaited)
                return
            self._looks = 0
        clients.looks.start(self)

    def _countDone(self, awaited: Awaited) -> int:
        if awaited == Awaited.BODY:
            return self.countGiven()
        if awaited == Awaited.READING:
            return self.countTaken()
        return self.countGiven() + self.countTaken() if awaited == Awaited.TUNNEL else 0

    def awaits(self) -> Awaited:
        """
        What the client has to do now.
        """
        raise NotImplementedError

    def giveUp(self, awaited: Awaited) -> None:
        """
        The client does not do it.
        """
        if self._carrier is not None and awaited == Awaited.TUNNEL:
            self._carrier.hangup()
        else:
            self.abort()

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
        self._clients.looks.stop(self)
        if self._counted:
            self._clients.addresses.remove(self.address)
        self._clients.left(self)
        carrier = self._carrier
        self.over()
        if carrier is not None:
            carrier.hangup()


class ClientFactory(Factory, Generic[_C]):
    """
    Makes clients' connections, and knows those that are there.

    @ivar clients: those connected now.
    @ivar addresses: how many of them each address has.
    @ivar looks: when to look next at each client.
    """

    noisy = False

    def __init__(
        self, shared: Shared, brokerage: Dispatch, limits: Limits, addresses: Addresses
    ) -> None:
        self.shared = shared
        self.brokerage = brokerage
        self.addresses = addresses
        self.timeouts = Timeouts(
            limits.keep_alive_timeout,
            limits.body_timeout,
            limits.write_timeout,
            limits.tunnel_timeout,
        )
        self.looks: Deadlines[ClientConnection[Any]] = Deadlines(
            shared.reactor, self.timeouts.pause, lambda client: client.look()
        )
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
        self.looks.stopAll()
