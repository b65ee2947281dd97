"""
Connecting with our own transport.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Any, cast

from twisted.internet import base
from twisted.internet.abstract import isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectError, getConnectError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.transport.poller import Poller
from brxy.transport.stream import EVERYTHING, EpollTransport

__all__ = ["TCPConnector", "UNIXConnector"]

_log = Logger()


class _Connector(base.BaseConnector):
    """
    The base of connectors: each C{connect} makes a new attempt.
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


class TCPConnector(_Connector):
    """
    Connects to an IP address.
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
            # Converts a zone in the address to a number.
            found = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
            return socket.AF_INET6, found[0][4]
        return socket.AF_INET, (self._host, self._port)

    def getDestination(self) -> IAddress:
        """
        See L{twisted.internet.interfaces.IConnector}.
        """
        of = IPv6Address if isIPv6Address(self._host) else IPv4Address
        return cast(IAddress, of("TCP", self._host, self._port))


class UNIXConnector(_Connector):
    """
    Connects to a Unix socket.
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
        See L{twisted.internet.interfaces.IConnector}.
        """
        return cast(IAddress, UNIXAddress(self._address))


class _Attempt:
    """
    A connection that is being made.  It is the transport of its connector until the
    connection is up.
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
        # EAGAIN from a Unix socket whose queue is full does not start an attempt.
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, os.strerror(number))
        # Reports also a connection that is up already.
        self._poller.add(sock.fileno(), self, EVERYTHING)

    def happened(self, events: int) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        sock, connector = self._socket, self._connector
        assert sock is not None and connector is not None, "an attempt was served after its end"
        number = sock.connect_ex(self._name)
        if number == errno.EALREADY:
            # The event was for an earlier socket with this number.
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
            # As Twisted does if the factory makes no protocol.
            transport.loseConnection()
        elif events & ~select.EPOLLOUT and transport.connected:
            # The server speaks first.
            self._poller.again(sock.fileno(), EVERYTHING)

    def failIfNotConnected(self, error: Exception) -> None:
        """
        The attempt has failed or timed out, or was cancelled.
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
        See L{brxy.transport.poller.Served}.
        """

    def failed(self, failure: Failure) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        _log.failure("a factory failed", failure)
        self.failIfNotConnected(ConnectError(string=failure))
