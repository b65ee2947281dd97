"""
TLS clients that are passed on undecrypted, to the app of the name in their hello.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from brxy.broker.quota import Addresses
from brxy.edge.clients.connection import ClientFactory
from brxy.edge.clients.tcp import TCPClient
from brxy.edge.config.limits import Limits
from brxy.edge.exchanges.ends import Dispatcher
from brxy.errors import BadHello
from brxy.reactor.deadlines import Deadlines
from brxy.transport.connection import Shared
from brxy.values.routename import routeName
from brxy.wire.clienthello import ClientHelloReader

__all__ = ["SNIClient", "SNIFactory"]

# Seconds for a complete hello.
HELLO_TIMEOUT = 10.0

# RFC 6066 §3: unrecognized_name, fatal.
_UNKNOWN = b"\x15\x03\x03\x00\x02\x02\x70"


class SNIClient(TCPClient):
    """
    One TLS client: its connection is one exchange that begins with its hello.
    """

    def __init__(self, factory: SNIFactory, peer: IAddress | None) -> None:
        super().__init__(factory, peer)
        self._sni = factory
        self._reader: ClientHelloReader | None = ClientHelloReader()

    def begin(self) -> None:
        """
        See L{TCPClient}.
        """
        self._sni.hellos.start(self)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self._reader is not None and self.alive:
            try:
                name = self._reader.feed(data)
            except BadHello:
                self.abort()
                return
            if name is not None:
                self._reader = None
                self._sni.hellos.stop(self)
                self._inbox += data
                self._beginFor(name)
            else:
                self._inbox += data
            return
        super().dataReceived(data)

    def _beginFor(self, name: str) -> None:
        host = routeName(name) if name else ""
        route = None if host is None else self._sni.route(host)
        if route is None:
            self.write(_UNKNOWN)
            self.linger()
        else:
            self.beginOn(route)
            self.advance()

    def closed(self, reason: Failure) -> None:
        """
        See L{TCPClient}.
        """
        self._sni.hellos.stop(self)
        super().closed(reason)


class SNIFactory(ClientFactory[TCPClient]):
    """
    Makes the connections of the ports for TLS that is passed on undecrypted.

    @ivar route: finds the route of a name (C{""} for clients that name none); returns
        L{None} if there is no app.
    @ivar hellos: clients whose hello is not complete.
    """

    def __init__(
        self,
        shared: Shared,
        dispatcher: Dispatcher,
        limits: Limits,
        addresses: Addresses,
        route: Callable[[str], str | None],
    ) -> None:
        super().__init__(shared, dispatcher, limits, addresses)
        self.route = route
        self.hellos: Deadlines[SNIClient] = Deadlines(
            shared.reactor, HELLO_TIMEOUT, SNIClient.abort
        )

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return SNIClient(self, addr)

    def abort(self) -> None:
        """
        See L{ClientFactory}.
        """
        super().abort()
        self.hellos.stopAll()
