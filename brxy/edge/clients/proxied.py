"""
Clients that connect through a proxy, which names them by the PROXY protocol.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, ILoggingContext, IProtocol, IProtocolFactory
from zope.interface import implementer

from brxy.edge.clients.peer import ProxiedPeer, addressText
from brxy.edge.events import Events, ProxyRefused
from brxy.errors import BadProxyHeader
from brxy.reactor.prelude import Prelude, Preludes
from brxy.values.networks import Networks
from brxy.wire.proxyheader import readProxyHeader

__all__ = ["Proxied", "ProxiedFactory"]

# Seconds for a complete header, from the beginning of the connection.
HEADER_TIMEOUT = 15.0

# Seconds between two events about refused proxies: one that is misconfigured fails with
# each connection.
COMPLAINTS_PAUSE = 10.0


class Proxied(Preludes):
    """
    The proxies that must begin each connection with a PROXY header.

    @ivar networks: their addresses.
    """

    def __init__(self, reactor: Any, networks: Networks, events: Events | None = None) -> None:
        """
        @param events: receives L{ProxyRefused}.
        """
        super().__init__(reactor, HEADER_TIMEOUT)
        self._events = Events() if events is None else events
        self.networks = networks
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


class _ProxiedProtocol(Prelude):
    """
    Reads the header; from then on passes everything on to the client's protocol.
    """

    def __init__(self, proxied: Proxied, factory: IProtocolFactory, proxy: IAddress) -> None:
        super().__init__(proxied, factory, proxy)
        self._proxied = proxied
        self._header = b""

    def read(self, data: bytes) -> None:
        """
        See L{Prelude}.
        """
        self._header += data
        try:
            read = readProxyHeader(self._header)
        except BadProxyHeader as error:
            self._refuse(str(error))
            return
        if read is not None:
            endpoints, taken = read
            peer: Any = None if endpoints is None else ProxiedPeer(endpoints)
            rest, self._header = self._header[taken:], b""
            self.follow(rest, peer=peer)

    def _refuse(self, why: str) -> None:
        self._proxied.refused(addressText(self._peer) or "at a Unix socket", why)
        self.abort()

    def tooSlow(self) -> None:
        """
        See L{Prelude}.
        """
        self._refuse("no complete PROXY header in time")
