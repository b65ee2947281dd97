"""
Clients that connect through a proxy, which names them by the PROXY protocol.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.edge.clients.peer import ProxiedPeer, addressText
from brxy.edge.events import Events, ProxyRefused
from brxy.errors import BadProxyHeader
from brxy.reactor.deadlines import Deadlines
from brxy.values.networks import Networks
from brxy.wire.proxyheader import readProxyHeader

__all__ = ["Proxied", "ProxiedFactory"]

# Seconds for a complete header, from the beginning of the connection.
HEADER_TIMEOUT = 15.0

# Seconds between two events about refused proxies: one that is misconfigured fails with
# each connection.
COMPLAINTS_PAUSE = 10.0


class Proxied:
    """
    The proxies that must begin each connection with a PROXY header.

    @ivar networks: their addresses.
    @ivar reading: the connections whose header is not complete.
    """

    def __init__(self, reactor: Any, networks: Networks, events: Events | None = None) -> None:
        """
        @param events: receives L{ProxyRefused}.
        """
        self._events = Events() if events is None else events
        self.networks = networks
        self.deadlines: Deadlines[_ProxiedProtocol] = Deadlines(
            reactor, HEADER_TIMEOUT, _ProxiedProtocol.tooSlow
        )
        self.reading: set[_ProxiedProtocol] = set()
        self._seconds = reactor.seconds
        self._quiet_until = float("-inf")

    def wrap(self, factory: IProtocolFactory) -> IProtocolFactory:
        """
        @return: a factory for a port, which makes the protocols of C{factory} with the
            addresses of the clients.
        """
        return ProxiedFactory(self, factory) if self.networks else factory

    def refused(self, proxy: str, why: str) -> None:
        """
        A proxy did not name its client.
        """
        now = self._seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + COMPLAINTS_PAUSE
            self._events.emit(ProxyRefused(proxy, why))

    def abort(self) -> None:
        """
        Cut the connections whose header is not complete.
        """
        for protocol in list(self.reading):
            protocol.abort()
        self.deadlines.stopAll()


@implementer(IProtocolFactory, ILoggingContext)
class ProxiedFactory:
    """
    Makes the protocols of one port.

    Of all wrappers of a factory it is the outermost, next to the port: the header comes
    before the TLS handshake.
    """

    def __init__(self, proxied: Proxied, wrapped: IProtocolFactory) -> None:
        self.proxied = proxied
        self.wrapped = wrapped

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """
        See L{IProtocolFactory}.
        """
        proxied = self.proxied
        if proxied.networks.covers(addressText(addr)):
            return _ProxiedProtocol(proxied, self.wrapped, addr)
        return self.wrapped.buildProtocol(addr)

    def doStart(self) -> None:
        """
        See L{IProtocolFactory}.
        """
        self.wrapped.doStart()

    def doStop(self) -> None:
        """
        See L{IProtocolFactory}.
        """
        self.wrapped.doStop()

    def logPrefix(self) -> str:
        """
        See L{ILoggingContext}.
        """
        wrapped = ILoggingContext(self.wrapped, None)
        return type(self.wrapped).__name__ if wrapped is None else wrapped.logPrefix()


@implementer(IHalfCloseableProtocol)
class _ProxiedProtocol(Protocol):
    """
    Reads the header; from then on passes everything on to the client's protocol.
    """

    def __init__(self, proxied: Proxied, factory: IProtocolFactory, proxy: IAddress) -> None:
        self._proxied = proxied
        self._factory = factory
        self._proxy = proxy
        self._header = b""
        self._client: Any = None

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        self._proxied.reading.add(self)
        self._proxied.deadlines.start(self)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol}.
        """
        if self._client is not None:
            self._client.dataReceived(data)
        elif self in self._proxied.reading:
            self._header += data
            self._read()

    def _read(self) -> None:
        try:
            read = readProxyHeader(self._header)
        except BadProxyHeader as error:
            self._refuse(str(error))
            return
        if read is not None:
            endpoints, taken = read
            self._done()
            rest, self._header = self._header[taken:], b""
            self._begin(self._proxy if endpoints is None else ProxiedPeer(endpoints), rest)

    def _begin(self, peer: Any, rest: bytes) -> None:
        client = self._factory.buildProtocol(peer)
        if client is None:
            self._cut()
            return
        self._client = client
        assert self.transport is not None
        client.makeConnection(self.transport)
        if rest and not self._disconnecting():
            client.dataReceived(rest)

    def _disconnecting(self) -> bool:
        return bool(getattr(self.transport, "disconnecting", False))

    def _done(self) -> None:
        self._proxied.reading.discard(self)
        self._proxied.deadlines.stop(self)

    def _refuse(self, why: str) -> None:
        self._proxied.refused(addressText(self._proxy) or "at a Unix socket", why)
        self.abort()

    def tooSlow(self) -> None:
        """
        The header takes too long.
        """
        self._refuse("no complete PROXY header in time")

    def abort(self) -> None:
        """
        Cut the connection before its header is whole.
        """
        self._done()
        self._cut()

    def _cut(self) -> None:
        self.transport.abortConnection()  # type: ignore[union-attr]

    def readConnectionLost(self) -> None:
        """
        The peer half-closed.  See L{IHalfCloseableProtocol}.
        """
        client = IHalfCloseableProtocol(self._client, None)
        if client is not None:
            client.readConnectionLost()
        else:
            # As a transport does for a protocol that knows no half-close.
            self._done()
            assert self.transport is not None
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Everything before our half-close was sent.  See L{IHalfCloseableProtocol}.
        """
        client = IHalfCloseableProtocol(self._client, None)
        if client is not None:
            client.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        self._done()
        if self._client is not None:
            self._client.connectionLost(reason)
            self._client = None
