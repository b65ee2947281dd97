"""
What all connections of clients have in common, whatever protocol they speak.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from brxy.broker.quota import Addresses
from brxy.edge.clients.peer import addressText, endpointsText
from brxy.edge.clients.timeouts import Awaited, Timeouts
from brxy.edge.config.limits import Limits
from brxy.edge.exchanges.carrier import Carrier
from brxy.edge.exchanges.ends import Dispatcher
from brxy.reactor.deadlines import Deadlines
from brxy.tls.transport import TLSTransport
from brxy.transport.connection import Connection, Shared
from brxy.transport.stream import EpollTransport

__all__ = ["HOLD_COPY", "ClientConnection", "ClientFactory"]

# Why a client is not read from: no instance has accepted its exchange yet, and the copy
# of it is full.
HOLD_COPY = 2

_C = TypeVar("_C", bound="ClientConnection[Any]")
_K = TypeVar("_K", bound=Carrier)


class ClientConnection(Connection, Generic[_K]):
    """
    One client's connection, with the exchange that is on it.

    @ivar address: the address of the peer, as its PROXY header says if it has one.
    @ivar client: the address of the client: that of the peer, or the one that a trusted
        proxy names.
    """

    # It is counted among the connections of its address.
    _counted = False
    # What the last check awaited, how many checks in a row have, and how many bytes had
    # come or gone at the first of them.
    _awaited = Awaited.NOTHING
    _checks = 0
    _done = 0

    def __init__(self, factory: ClientFactory[Any], peer: IAddress | None = None) -> None:
        """
        @param peer: the peer's address, from the port or from a PROXY header; L{None} to
            read it from the transport.
        """
        super().__init__(factory.shared)
        self.address = self.client = ""
        self._endpoints: str | None = None
        self._peer = peer
        self._clients = factory
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
            self._clients.checks.start(self)
        else:
            self.abort()

    @property
    def endpoints(self) -> str:
        """
        See L{endpointsText}.  Found when it is first needed: it takes a system call.
        """
        if self._endpoints is None:
            self._endpoints = endpointsText(self._peer, self._tcp.getHost())
        return self._endpoints

    @property
    def encrypted(self) -> bool:
        """
        Whether it is over TLS, which ends here.
        """
        return isinstance(self.transport, TLSTransport)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self.alive:
            self._inbox += data
            self.advance()

    def advance(self) -> None:
        """
        Use what has come in, as far as that is possible now.
        """
        raise NotImplementedError

    # Timeouts

    def check(self) -> None:
        """
        Give up on the client if it did not do in time what it has to do.
        """
        clients = self._clients
        timeouts = clients.timeouts
        if self._carrier is not None and clients.cut_time and self.isCut(clients.cut_time):
            self.abort()
            return
        awaited = self.awaits()
        if not timeouts.limits(awaited) or awaited > Awaited.REQUEST and not self.isCounted():
            awaited = Awaited.NOTHING
        if awaited != self._awaited or not self._checks:
            self._awaited = awaited
            self._checks = 0
            self._done = self._countDone(awaited)
        self._checks += 1
        if timeouts.limits(awaited) and timeouts.isOver(awaited, self._checks):
            if not timeouts.isEnough(awaited, self._countDone(awaited) - self._done):
                self.giveUp(awaited)
                return
            self._checks = 0
        clients.checks.start(self)

    def _countDone(self, awaited: Awaited) -> int:
        if awaited == Awaited.BODY:
            return self.countGiven()
        if awaited == Awaited.READING:
            return self.countTaken()
        return self.countGiven() + self.countTaken() if awaited >= Awaited.TUNNEL else 0

    def awaits(self) -> Awaited:
        """
        @return: what the client has to do now.
        """
        raise NotImplementedError

    def giveUp(self, awaited: Awaited) -> None:
        """
        The client did not do in time what it had to do.
        """
        if self._carrier is not None and awaited == Awaited.TUNNEL:
            self._carrier.hangup()
        else:
            self.abort()

    def leave(self) -> None:
        """
        The edge is stopping: close the connection if no exchange is on it.
        """

    # Another edge goes on with it

    @property
    def kind(self) -> str:
        """
        See L{ClientFactory}.
        """
        return self._clients.kind

    def takeUnread(self) -> bytes:
        """
        Take out what has come and is no part of a carrier's copy yet.
        """
        unread, self._inbox = self._inbox, b""
        return unread

    def takeSocket(self) -> socket.socket | None:
        """
        Take the socket out: the connection is over here, and stays open elsewhere.

        @return: L{None} if that is not possible, as over TLS or while the client has not taken
            all that was written.
        """
        transport = self.transport
        if type(transport) is not EpollTransport or not self.alive or self.isBehind():
            return None
        self._carrier = None
        sock = transport.duplicate()
        self.close()
        return sock

    @property
    def tls_granted(self) -> bool:
        """
        The edge has granted the client the TLS that it requested in clear text.
        """
        return False

    def grantTLS(self) -> None:
        """
        A former edge has.  Called before anything has come.
        """

    def passOn(self, carrier: Any) -> None:
        """
        Another carrier goes on, which passes bytes both ways.
        """
        self._carrier = carrier

    def handOn(self, take: Callable[[ClientConnection[Any]], object]) -> None:
        """
        Another edge serves new exchanges from now on.

        @param take: called with this connection if no exchange is on it, and it can go there.
        """

    def exchangeOver(self) -> None:
        """
        The exchange is not on this connection any more.
        """
        self._carrier = None

    def reset(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self.exchangeOver()
        self.breakOff()

    def filled(self) -> None:
        """
        The client's buffer is full.
        """
        if self._carrier is not None:
            self._carrier.full(self)

    def emptied(self) -> None:
        """
        The client's buffer is empty again.
        """
        if self._carrier is not None:
            self._carrier.drained(self)

    def peerEnded(self) -> None:
        """
        The client half-closed.  Between exchanges, the connection is closed.
        """
        if self._carrier is None:
            self.close()
        else:
            self._carrier.clientEnded()

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._clients.checks.stop(self)
        if self._counted:
            self._clients.addresses.remove(self.address)
        self._clients.clientLeft(self)
        carrier = self._carrier
        self.exchangeOver()
        if carrier is not None:
            carrier.hangup()


class ClientFactory(Factory, Generic[_C]):
    """
    Makes connections of clients, and knows those that are open.

    @ivar clients: the open connections.
    @ivar addresses: counts the connections of each address.
    @ivar checks: when to check each client next, see L{Timeouts}.
    @ivar kind: what the clients speak; those of one kind are served alike at every edge with
        the same settings.
    @ivar cut_time: the seconds without an acknowledgement after which a client with bytes under
        way is gone; 0 for no limit.
    """

    noisy = False
    kind = ""

    def __init__(
        self, shared: Shared, dispatcher: Dispatcher, limits: Limits, addresses: Addresses
    ) -> None:
        self.shared = shared
        self.dispatcher = dispatcher
        self.addresses = addresses
        self.timeouts = Timeouts(
            limits.keep_alive_timeout,
            limits.body_timeout,
            limits.write_timeout,
            limits.tunnel_timeout,
            limits.stream_idle_timeout,
        )
        self.cut_time = 2 * limits.tcp_keepalive
        self.checks: Deadlines[ClientConnection[Any]] = Deadlines(
            shared.reactor, self.timeouts.pause, lambda client: client.check()
        )
        self.clients: set[_C] = set()
        self._empty: list[Deferred[None]] = []

    def clientLeft(self, client: _C) -> None:
        """
        A client's connection is gone.
        """
        self.clients.discard(client)
        if not self.clients:
            empty, self._empty = self._empty, []
            for waiting in empty:
                waiting.callback(None)

    def whenEmpty(self) -> Deferred[None]:
        """
        @return: fires when no client is connected.
        """
        waiting: Deferred[None] = Deferred()
        if self.clients:
            self._empty.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def handOn(self, take: Callable[[ClientConnection[Any]], object]) -> None:
        """
        Another edge serves new exchanges from now on, and finds their routes.

        @param take: see L{ClientConnection.handOn}.
        """
        for client in list(self.clients):
            client.handOn(take)

    def leave(self) -> None:
        """
        The edge is stopping: close the connections that have no exchange on them.
        """
        for client in list(self.clients):
            client.leave()

    def abort(self) -> None:
        """
        Close all connections at once.
        """
        for client in list(self.clients):
            client.abort()
        self.checks.stopAll()
