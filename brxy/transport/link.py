"""
What the kernel knows of the link below a connection.
"""

from __future__ import annotations

import socket
import typing
from math import ceil
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol

from brxy.transport.tcpinfo import (
    givenOf,
    isCut,
    isEnded,
    isGone,
    isSent,
    readInfo,
    roundTripOf,
    takenOf,
)

__all__ = ["PROBES", "Link", "Transport", "probe"]

#: How many probes of the kernel go unanswered before it takes a link for cut.
PROBES = 3

# Of a slot's link, see L{probe}.
_SLOT_IDLE = 10.0
_SLOT_INTERVAL = 5.0

# The most that the kernel takes for each (seconds).
_LONGEST = 32767


def probe(sock: socket.socket, idle: float, interval: float) -> None:
    """
    Have the kernel probe the peer of a socket over TCP, and notice when it is gone.
    Connections that a listening socket accepts inherit that.

    @param idle: after how many seconds without traffic.
    @param interval: the seconds from each of the probes to the next.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, min(ceil(idle), _LONGEST)),
        (socket.TCP_KEEPINTVL, min(ceil(interval), _LONGEST)),
        (socket.TCP_KEEPCNT, PROBES),
    ):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


class Transport(typing.Protocol):
    """
    What connections use of a transport, of ITCPTransport, IPushProducer and IConsumer.
    """

    def write(self, data: bytes) -> None: ...

    def loseConnection(self) -> None: ...

    def loseWriteConnection(self) -> None: ...

    def abortConnection(self) -> None: ...

    def getPeer(self) -> Any: ...

    def getHost(self) -> Any: ...

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def getHandle(self) -> socket.socket: ...


class Link(Protocol):
    """
    The part of L{brxy.transport.connection.Connection} that queries the kernel.
    """

    _tcp: Transport

    def isTCP(self) -> bool:
        """
        Whether this is a connection over TCP, not on a Unix socket.
        """
        return isinstance(self._tcp.getPeer(), (IPv4Address, IPv6Address))

    def watchLink(self) -> None:
        """
        Have the kernel notice when the link is cut while nothing is sent.  While
        something is sent, see L{isCut}.
        """
        handle = getattr(self.transport, "getHandle", None)
        if handle is not None and self.isTCP():
            probe(handle(), _SLOT_IDLE, _SLOT_INTERVAL)

    def countTaken(self) -> int:
        """
        How many bytes the peer has acknowledged; 0 if they are not counted, as on Unix
        sockets.
        """
        return takenOf(readInfo(self.transport)) if self.isCounted() else 0

    def countGiven(self) -> int:
        """
        How many bytes have come from the peer, read or not; 0 if they are not counted.
        """
        return givenOf(readInfo(self.transport)) if self.isCounted() else 0

    def roundTrip(self) -> float:
        """
        How long a byte takes to the peer and an answer back (seconds), as far as is known.
        """
        return roundTripOf(readInfo(self.transport)) if self.isCounted() else 0.0

    def isEnded(self) -> bool:
        """
        Whether the peer has closed or half-closed, as far as the kernel knows: its end may
        not be read yet.
        """
        return self.isCounted() and isEnded(readInfo(self.transport))

    def isReset(self) -> bool:
        """
        Whether the peer has reset the connection, as far as the kernel knows, while our direction
        was open: what came before may not be read yet.
        """
        return self.isCounted() and isGone(readInfo(self.transport))

    def isSent(self) -> bool:
        """
        Whether the peer's kernel has all that ours was given.
        """
        return not self.isCounted() or isSent(readInfo(self.transport))

    def isCut(self, seconds: float | None = None) -> bool:
        """
        Whether the link to the peer is cut, as far as the kernel knows.

        @param seconds: see L{isCut<brxy.transport.tcpinfo.isCut>}.
        """
        return self.isCounted() and isCut(readInfo(self.transport), seconds)

    def isCounted(self) -> bool:
        """
        Whether bytes that come and go are counted: the kernel does that for TCP.
        """
        return hasattr(self.transport, "getHandle") and self.isTCP()
