"""
The socket of a transport: its addresses and options.
"""

from __future__ import annotations

import socket
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

__all__ = ["SocketEnd", "addressOf"]


def addressOf(family: int, name: Any) -> IAddress:
    """
    Convert the name of a socket to an address.

    @param name: the result of C{getsockname}, C{getpeername} or C{accept}.
    """
    if family == socket.AF_UNIX:
        return cast(IAddress, UNIXAddress(name or None))
    if family == socket.AF_INET6:
        # Includes the zone of a link-local address.
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        host = socket.getnameinfo(name, numeric)[0]
        return cast(IAddress, IPv6Address("TCP", host, *name[1:]))
    return cast(IAddress, IPv4Address("TCP", *name))


class SocketEnd:
    """
    One end of a connection: its socket, with addresses and options.
    """

    __slots__ = ("_peer", "_socket")

    def __init__(self, sock: socket.socket, peer: IAddress) -> None:
        """
        @param sock: non-blocking; of a stream type.
        """
        self._socket = sock
        self._peer = peer

    def getPeer(self) -> Any:
        """
        @return: the address of the other end.
        """
        return self._peer

    def getHost(self) -> Any:
        """
        @return: the address of our end.
        """
        return addressOf(self._socket.family, self._socket.getsockname())

    def fileno(self) -> int:
        """
        @return: the descriptor; -1 once it is closed.
        """
        return self._socket.fileno()

    def getHandle(self) -> socket.socket:
        """
        @return: the socket.
        """
        return self._socket

    def getTcpNoDelay(self) -> bool:
        """
        @return: whether short writes are sent at once; L{False} for Unix sockets, which
            have no such option.
        """
        if self._socket.family == socket.AF_UNIX:
            return False
        return bool(self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Set whether short writes are sent at once.
        """
        if self._socket.family != socket.AF_UNIX:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """
        @return: whether the kernel probes the link while nothing is sent.
        """
        return bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        Set whether the kernel probes the link while nothing is sent.
        """
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)
