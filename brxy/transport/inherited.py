"""
Ports on listening sockets that this process has inherited, for example from systemd.

The sockets stay open when the process ends.  Clients that connect meanwhile wait in their
queues for the next process.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any, cast

from twisted.internet import tcp
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python import log

from brxy.errors import UsageError
from brxy.transport.accepting import TCPPort, UNIXPort
from brxy.transport.poller import Poller

__all__ = ["adoptPort", "checkInherited"]


class _InheritedUNIXPort(UNIXPort):
    """
    A port on an inherited Unix socket.  Twisted's port would let every user connect and
    shorten the queue; when it closes, it would shut the socket down and remove it.

    @ivar removes_path: the socket is removed from its folder when the port closes: no other
        process has it any more.

    C{_preexistingSocket}, C{_shouldShutdown} and C{_getLogPrefix} are private names of
    Twisted's ports.  There are no public ones for a socket that exists already.
    """

    _shouldShutdown = False
    removes_path = False

    def startListening(self) -> None:
        """
        Accept connections.
        """
        port: Any = self
        port.socket, port._preexistingSocket = port._preexistingSocket, None
        port.fileno = port.socket.fileno
        log.msg(f"{port._getLogPrefix(port.factory)} starting on {port.socket.getsockname()!r}")
        port.factory.doStart()
        port.connected = True
        port.startReading()

    def connectionLost(self, reason: Any) -> None:
        """
        Close our descriptor of the socket.
        """
        if self.removes_path and not self.handed_on:
            with suppress(OSError):
                os.unlink(cast(Any, self).socket.getsockname())
        tcp.Port.connectionLost(self, reason)


def adoptPort(
    poller: Poller,
    descriptor: int,
    family: int,
    factory: IProtocolFactory,
    reactor: Any,
    *,
    removes_path: bool = False,
) -> IListeningPort:
    """
    Accept connections on a duplicate of a listening socket.

    @param family: the socket's family, C{socket.AF_*}.
    @param removes_path: this process owns the socket from now on: at its end, a Unix socket
        is removed from its folder.
    """
    sock = socket.fromfd(descriptor, family, socket.SOCK_STREAM)
    port: Any
    if family == socket.AF_UNIX:
        port = _InheritedUNIXPort(poller, sock.getsockname(), factory, 0, 0, reactor)
        port.removes_path = removes_path
    else:
        port = TCPPort(poller, None, factory, None, sock.getsockname()[0], reactor)
    port._preexistingSocket = sock
    port.startListening()
    return cast(IListeningPort, port)


def checkInherited(text: str, endpoint: AdoptedStreamServerEndpoint, own: bool) -> None:
    """
    Check that an inherited socket can be used as a port.

    @param text: the endpoint as the user has written it.
    @param own: whether L{adoptPort} will make the port, not Twisted.
    @raise UsageError: it can't be used.
    """
    why = _wrong(endpoint, own)
    if why:
        raise UsageError(f"can't listen on {text}: {why}")


def _wrong(endpoint: AdoptedStreamServerEndpoint, own: bool) -> str:
    try:
        with socket.socket(fileno=os.dup(endpoint.fileno)) as sock:
            listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            family, kind = sock.family, sock.type
    except OSError:
        return "it was given to another option too, or is no socket"
    if not listens or kind != socket.SOCK_STREAM:
        return "that socket takes no connections"
    if family != endpoint.addressFamily:
        return f"its domain is {socket.AddressFamily(family).name.removeprefix('AF_')}"
    if family == socket.AF_UNIX and not own:
        return "Twisted's transport would let all users connect, and remove the socket at its end"
    return ""
