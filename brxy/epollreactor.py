"""
The reactor as endpoints need it, with connections of our own transport.

Whatever asks a reactor for a stream connection, Twisted's endpoints and TLS
among them, gets one of L{brxy.epolltcp} when it is given an L{EpollReactor}
in the reactor's place.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Any, cast

from twisted.internet import base, tcp, unix
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectError, getConnectError
from twisted.internet.interfaces import IAddress, IConnector, IListeningPort, IProtocolFactory
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

from brxy.epolltcp import EVERYTHING, EpollTransport, addressOf
from brxy.poller import Poller

__all__ = ["EpollReactor"]

_log = Logger()

# A crowd is let in by so many at once, then those inside get their turn.
_MOST_ACCEPTS = 64

# Out of descriptors or memory: whoever waits is let in when there are some
# again (seconds between two looks).
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_EXHAUSTED_PAUSE = 0.25


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
        return _listening(_TCPPort(self._poller, port, factory, backlog, interface, self._reactor))

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
            _UNIXPort(self._poller, address, factory, backlog, mode, self._reactor, wantPID)
        )

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
        return _connecting(
            _TCPConnector(self._poller, host, port, factory, timeout, self._reactor)
        )

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
        return _connecting(_UNIXConnector(self._poller, address, factory, timeout, self._reactor))

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


def _connecting(connector: _Connector) -> IConnector:
    connector.connect()
    return cast(IConnector, connector)


class _TCPPort(tcp.Port):
    """
    A port of Twisted's, served by a L{Poller}.  All of its life but accepting
    connections is left to Twisted, with its logs and its errors.
    """

    _accepts = 1

    def __init__(self, poller: Poller, *arguments: Any) -> None:
        self._poller = poller
        super().__init__(*arguments)

    def startReading(self) -> None:
        """
        Accept connections.
        """
        self._poller.add(self.socket.fileno(), self, select.EPOLLIN)

    def stopReading(self) -> None:
        """
        Accept no more.
        """
        if self.connected:
            self._poller.remove(self.socket.fileno())

    def settle(self) -> None:
        """
        See L{brxy.poller.Served}.
        """

    def happened(self, events: int) -> None:
        """
        Let in who waits, more at once if a crowd does.
        """
        accepted = 0
        while accepted < self._accepts and self._accept():
            accepted += 1
        # As long as somebody waits the poller tells again.
        crowd = accepted == self._accepts
        self._accepts = min(2 * accepted, _MOST_ACCEPTS) if crowd else max(1, accepted)

    def _accept(self) -> bool:
        """
        @return: whether there was somebody.
        """
        try:
            sock, name = self.socket.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            # Anything else is over with the connection that it befell.
            return error.errno not in _EXHAUSTED or self._rest(error)
        sock.setblocking(False)
        peer = addressOf(self.addressFamily, name)
        protocol = cast(Any, self.factory).buildProtocol(peer)
        if protocol is None:
            sock.close()
        else:
            transport = EpollTransport(self._poller, sock, peer)
            self._poller.add(sock.fileno(), transport, EVERYTHING)
            transport.start(protocol)
        return True

    def _rest(self, error: OSError) -> bool:
        _log.warn("can't accept connections for now: {why}", why=error.strerror)
        # To be added to a poller again might take a descriptor.
        self._poller.again(self.socket.fileno(), 0)
        cast(Any, self.reactor).callLater(_EXHAUSTED_PAUSE, self._goOn)
        return False

    def _goOn(self) -> None:
        if self.connected and not self.disconnecting:
            self._poller.again(self.socket.fileno(), select.EPOLLIN)

    def failed(self, failure: Failure) -> None:
        """
        See L{brxy.poller.Served}.
        """
        _log.failure("a factory failed", failure)


class _UNIXPort(_TCPPort, unix.Port):
    """
    The same, on a Unix socket.
    """


class _Connector(base.BaseConnector):
    """
    Dials, again whenever it is told to.
    """

    def __init__(
        self, poller: Poller, factory: ClientFactory[Any], timeout: float, reactor: Any
    ) -> None:
        super().__init__(factory, timeout, reactor)
        self.poller = poller

    def _makeTransport(self) -> Any:
        return _Attempt(self, self.reactor)

    def name(self) -> tuple[int, Any]:
        """
        @return: the family and name of the socket to connect to.
        """
        raise NotImplementedError


class _TCPConnector(_Connector):
    """
    Dials an IP address.
    """

    def __init__(
        self,
        poller: Poller,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float,
        reactor: Any,
    ) -> None:
        super().__init__(poller, factory, timeout, reactor)
        self._host = host
        self._port = port

    def name(self) -> tuple[int, Any]:
        """
        See L{_Connector}.
        """
        if isIPv6Address(self._host):
            # A zone in it becomes a number.
            found = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
            return socket.AF_INET6, found[0][4]
        return socket.AF_INET, (self._host, self._port)

    def getDestination(self) -> IAddress:
        """
        See L{IConnector}.
        """
        of = IPv6Address if isIPv6Address(self._host) else IPv4Address
        return cast(IAddress, of("TCP", self._host, self._port))


class _UNIXConnector(_Connector):
    """
    Dials a Unix socket.
    """

    def __init__(
        self,
        poller: Poller,
        address: bytes,
        factory: ClientFactory[Any],
        timeout: float,
        reactor: Any,
    ) -> None:
        super().__init__(poller, factory, timeout, reactor)
        self._address = address

    def name(self) -> tuple[int, Any]:
        """
        See L{_Connector}.
        """
        return socket.AF_UNIX, UNIXAddress(self._address).name

    def getDestination(self) -> IAddress:
        """
        See L{IConnector}.
        """
        return cast(IAddress, UNIXAddress(self._address))


class _Attempt:
    """
    A connection that is being made; a connector's transport until it is there.
    """

    def __init__(self, connector: _Connector, reactor: Any) -> None:
        self._poller = connector.poller
        self._connector: _Connector | None = connector
        self._socket: socket.socket | None = None
        self._name: Any = None
        try:
            self._dial(*connector.name())
        except OSError as error:
            failure = getConnectError((error.errno, error.strerror))
            reactor.callLater(0, self.failIfNotConnected, failure)

    def _dial(self, family: int, name: Any) -> None:
        self._name = name
        self._socket = sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        number = sock.connect_ex(name)
        # A Unix socket that takes nobody for now is no connection in the making.
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, os.strerror(number))
        # Tells also of a connection that is there already.
        self._poller.add(sock.fileno(), self, EVERYTHING)

    def happened(self, events: int) -> None:
        """
        See L{brxy.poller.Served}.
        """
        sock, connector = self._socket, self._connector
        assert sock is not None and connector is not None, "an attempt was served after its end"
        number = sock.connect_ex(self._name)
        if number == errno.EALREADY:
            # It was about another socket that had this number.
            return
        if number not in (0, errno.EISCONN):
            self.failIfNotConnected(getConnectError((number, os.strerror(number))))
            return
        transport = EpollTransport(self._poller, sock, connector.getDestination())
        connector.transport = cast(Any, transport)
        protocol = connector.buildProtocol(transport.getPeer())
        self._connector = None
        self._poller.replace(sock.fileno(), transport)
        transport.start(Protocol() if protocol is None else protocol, connector.connectionLost)
        if protocol is None:
            # As Twisted does for a factory that wants no connection after all.
            transport.loseConnection()
        elif events & ~select.EPOLLOUT and transport.connected:
            # The server speaks first.
            self._poller.again(sock.fileno(), EVERYTHING)

    def failIfNotConnected(self, error: Exception) -> None:
        """
        The attempt has failed, took too long, or is of no use any more.
        """
        connector, self._connector = self._connector, None
        if connector is None:
            return
        if self._socket is not None:
            self._poller.remove(self._socket.fileno())
            self._socket.close()
        connector.connectionFailed(Failure(error))

    def settle(self) -> None:
        """
        See L{brxy.poller.Served}.
        """

    def failed(self, failure: Failure) -> None:
        """
        See L{brxy.poller.Served}.
        """
        _log.failure("a factory failed", failure)
        self.failIfNotConnected(ConnectError(string=failure))
