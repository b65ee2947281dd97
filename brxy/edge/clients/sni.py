"""
TLS clients that are passed on undecrypted, to the app of the name in their hello.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from brxy.broker.quota import Addresses
from brxy.edge.clients.connection import ClientConnection, ClientFactory
from brxy.edge.clients.listener import anyRoute
from brxy.edge.clients.tcp import TCPClient
from brxy.edge.config.limits import Limits
from brxy.edge.exchanges.ends import Dispatcher
from brxy.edge.exchanges.postgres import RequestingCarrier
from brxy.edge.exchanges.recorded import RecordedRequesting
from brxy.edge.exchanges.table import COPY_LIMIT
from brxy.errors import BadHello, BadStart
from brxy.reactor.deadlines import Deadlines
from brxy.transport.connection import Shared
from brxy.values.routename import routeName
from brxy.wire.clienthello import ClientHelloReader
from brxy.wire.postgres import ANSWERS, Start, StartReader

__all__ = ["SNIClient", "SNIFactory"]

# Seconds for a complete hello, and for an app's answer to a request for TLS.
HELLO_TIMEOUT = 10.0

# RFC 6066 §3: unrecognized_name, fatal.
_UNKNOWN = b"\x15\x03\x03\x00\x02\x02\x70"


class SNIClient(TCPClient):
    """
    One TLS client: its connection is one exchange that begins with its hello.

    A client of PostgreSQL may request TLS before.  The edge grants that, since only the
    hello names the app.  Then it requests TLS of the app in the same way, and sends the hello
    when the app has granted it.
    """

    def __init__(self, factory: SNIFactory, peer: IAddress | None) -> None:
        super().__init__(factory, peer)
        self._sni = factory
        self._start: StartReader | None = StartReader()
        self._hello: ClientHelloReader | None = ClientHelloReader()
        self._requested = False

    def begin(self) -> None:
        """
        See L{TCPClient}.
        """
        self._sni.hellos.start(self)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self._hello is None or not self.alive:
            super().dataReceived(data)
            return
        try:
            if self._start is None:
                self._readHello(self._hello, data)
            else:
                self._readStart(self._start, data)
        except (BadHello, BadStart):
            self.abort()

    def _readStart(self, reader: StartReader, data: bytes) -> None:
        start = reader.feed(data)
        if start in ANSWERS:
            self.write(ANSWERS[start])
        if start is Start.TLS:
            self._start = None
            assert self._hello is not None
            self._readHello(self._hello, reader.data)
        elif start is Start.SSL_REQUEST:
            self._start = None
            self._requested = True
        elif start is Start.CANCEL:
            raise BadStart("it names no app")
        elif start is Start.PLAIN:
            self.linger()

    def _readHello(self, reader: ClientHelloReader, data: bytes) -> None:
        self._inbox += data
        name = reader.feed(data)
        if name is not None:
            self._hello = None
            self._sni.hellos.stop(self)
            self._beginFor(name)

    def _beginFor(self, name: str) -> None:
        host = routeName(name) if name else ""
        route = None if host is None else self._sni.route(host)
        if route is None:
            self.write(_UNKNOWN)
            self.linger()
        elif self._requested:
            dispatcher = self._clients.dispatcher
            make = RecordedRequesting if dispatcher.records.active else RequestingCarrier
            self.carry(make(self, dispatcher, route, self.granted))
        else:
            self.beginOn(route)
            self.advance()

    def advance(self) -> None:
        """
        See L{TCPClient}.
        """
        if not self._requested:
            super().advance()
        elif len(self._inbox) > COPY_LIMIT:
            self.abort()

    def accepted(self) -> None:
        """
        See L{TCPClient}.
        """
        if self._requested:
            self._sni.hellos.start(self)
        super().accepted()

    def granted(self) -> None:
        """
        The app is ready for the handshake.
        """
        self._requested = False
        self._sni.hellos.stop(self)
        self.advance()

    @property
    def tls_granted(self) -> bool:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
        """
        return self._requested

    def grantTLS(self) -> None:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
        """
        self._start = None
        self._requested = True

    def passOn(self, carrier: Any) -> None:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
        """
        self._requested = False
        super().passOn(carrier)

    def peerEnded(self) -> None:
        """
        See L{TCPClient}.
        """
        if self._requested:
            self.abort()
        else:
            super().peerEnded()

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
    @ivar hellos: clients whose hello is not complete, or has not gone to the app.
    """

    kind = "sni"

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

    def handOn(self, take: Callable[[ClientConnection[Any]], object]) -> None:
        """
        See L{ClientFactory}.
        """
        self.route = anyRoute
        super().handOn(take)

    def abort(self) -> None:
        """
        See L{ClientFactory}.
        """
        super().abort()
        self.hellos.stopAll()
