"""
The reactor as endpoints need it, with connections of our own transport.

Whatever asks a reactor for a stream connection, Twisted's endpoints and TLS
among them, gets one of L{brxy.transport.stream} when it is given an L{EpollReactor}
in the reactor's place.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IConnector, IListeningPort, IProtocolFactory
from twisted.internet.protocol import ClientFactory
from zope.interface import directlyProvides, providedBy

from brxy.transport.accepting import TCPPort, UNIXPort
from brxy.transport.dialing import TCPConnector, UNIXConnector
from brxy.transport.inherited import adoptPort
from brxy.transport.poller import Poller

__all__ = ["EpollReactor"]


class EpollReactor:
    """
    A reactor whose TCP and Unix stream connections are L{EpollTransport}s;
    everything else is the given reactor's.

    @param reactor: Twisted's, one that can watch descriptors.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._poller = Poller(reactor)
        # Asked for with each exchange.
        self.seconds = reactor.seconds
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        See L{twisted.internet.interfaces.IReactorTCP}.
        """
        return _listening(TCPPort(self._poller, port, factory, backlog, interface, self._reactor))

    def listenUNIX(
        self,
        address: bytes,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: int = 0,
    ) -> IListeningPort:
        """
        See L{twisted.internet.interfaces.IReactorUNIX}.
        """
        return _listening(
            UNIXPort(self._poller, address, factory, backlog, mode, self._reactor, wantPID)
        )

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """
        See L{twisted.internet.interfaces.IReactorSocket}.
        """
        return adoptPort(self._poller, fileDescriptor, addressFamily, factory, self._reactor)

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """
        See L{twisted.internet.interfaces.IReactorSSL}.
        """
        encrypted = _encrypted(contextFactory, False, factory)
        return self.listenTCP(port, encrypted, backlog, interface)

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> IConnector:
        """
        See L{twisted.internet.interfaces.IReactorTCP}.  Names and bound
        addresses are left to Twisted, transports included; endpoints resolve
        names themselves.
        """
        if bindAddress is not None or not (isIPAddress(host) or isIPv6Address(host)):
            return cast(
                IConnector,
                self._reactor.connectTCP(host, port, factory, timeout, bindAddress),
            )
        return _connecting(TCPConnector(self._poller, host, port, factory, timeout, self._reactor))

    def connectUNIX(
        self,
        address: bytes,
        factory: ClientFactory[Any],
        timeout: float = 30,
        checkPID: int = 0,
    ) -> IConnector:
        """
        See L{twisted.internet.interfaces.IReactorUNIX}.  Who wants a lock file
        to be looked at gets Twisted's transport.
        """
        if checkPID:
            return cast(IConnector, self._reactor.connectUNIX(address, factory, timeout, checkPID))
        return _connecting(UNIXConnector(self._poller, address, factory, timeout, self._reactor))

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        contextFactory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> IConnector:
        """
        See L{twisted.internet.interfaces.IReactorSSL}.
        """
        encrypted = _encrypted(contextFactory, True, factory)
        return self.connectTCP(host, port, encrypted, timeout, bindAddress)


def _encrypted(context: Any, is_client: bool, factory: Any) -> Any:
    # Few need it, and loading it takes a third of what a node loads.
    from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

    class Encrypted(BufferingTLSTransport):
        def abortConnection(self) -> None:
            # First of all: TLS would have said that this is a proper end, which
            # Twisted's transports have still in their buffers when they abort.
            cast(Any, self.transport).abortConnection()
            super().abortConnection()

    encrypted = TLSMemoryBIOFactory(context, is_client, factory)
    encrypted.protocol = Encrypted
    return encrypted


def _listening(port: Any) -> IListeningPort:
    port.startListening()
    return cast(IListeningPort, port)


def _connecting(connector: TCPConnector | UNIXConnector) -> IConnector:
    connector.connect()
    return cast(IConnector, connector)
