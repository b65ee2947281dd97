"""
A reactor for endpoints whose connections have our own transport.

Code that makes stream connections by way of a reactor, such as Twisted's endpoints and TLS,
gets those of L{brxy.transport.stream} if it is given an L{EpollReactor} instead of Twisted's
reactor.
"""

from __future__ import annotations

import socket
from typing import Any, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IAddress, IConnector, IListeningPort, IProtocolFactory
from twisted.internet.protocol import ClientFactory
from zope.interface import directlyProvides, providedBy

from brxy.transport.accepting import Gate, TCPPort, UNIXPort, serve
from brxy.transport.dialing import TCPConnector, UNIXConnector
from brxy.transport.inherited import adoptPort
from brxy.transport.poller import Poller

__all__ = ["EpollReactor"]


class EpollReactor:
    """
    A reactor whose TCP and Unix stream connections have
    L{brxy.transport.stream.EpollTransport}.  Everything else is passed on to the given
    reactor.

    @param reactor: Twisted's, one that can watch descriptors.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._poller = Poller(reactor)
        # A shortcut, since it is called for each exchange.
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

    def takeOver(
        self, sock: socket.socket, factory: IProtocolFactory, *, removes_path: bool
    ) -> IListeningPort:
        """
        Accept connections on a listening socket that another process hands on.

        @param removes_path: see L{adoptPort}.
        """
        port = adoptPort(
            self._poller,
            sock.fileno(),
            sock.family,
            factory,
            self._reactor,
            removes_path=removes_path,
        )
        sock.close()
        return port

    def serve(self, sock: socket.socket, protocol: Any, peer: IAddress, gate: Gate | None) -> None:
        """
        See L{brxy.transport.accepting.serve}.
        """
        serve(self._poller, sock, protocol, peer, gate)

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
        See L{twisted.internet.interfaces.IReactorTCP}.  Twisted makes the connection,
        with its own transport, if C{host} is a name or C{bindAddress} is given.  Endpoints
        resolve names themselves.
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
        See L{twisted.internet.interfaces.IReactorUNIX}.  Twisted makes the connection,
        with its own transport, if it has to check a lock file.
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
    # Rarely needed, and a third of all that a node would import.
    from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

    class Encrypted(BufferingTLSTransport):
        def abortConnection(self) -> None:
            # Before TLS writes its closing alert: a reset must not look like a proper end.
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
