"""
What every connection of brxy has in common: reading that can be held for
several reasons at once, a flag for a full write buffer, and two ways to close.
"""

from __future__ import annotations

import socket
import typing
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.reactor.deadlines import Deadlines
from brxy.reactor.hangup import HangupWatcher
from brxy.transport.splice import MovableStream
from brxy.transport.stream import EpollTransport
from brxy.transport.tcpinfo import givenOf, isCut, readInfo, takenOf

__all__ = ["HOLD_PEER", "IDLE_PROOF", "Connection", "Shared"]

# Why a connection is not read from.  The other end of the exchange is full:
HOLD_PEER = 1

# A peer that takes nothing of what is left, or does not close, gets this many
# seconds.
CLOSE_TIMEOUT = 10.0

# Most are gone before: what a peer takes is looked at only after one half of that, and
# in the other it must take so many bytes to be given as much again: not one now and then.
CLOSE_LEAST = 100

# An app that leaves a connection open for so long (seconds) after a response is
# taken to keep its connections open.
IDLE_PROOF = 0.05

# A link that was cut silently is found by the kernel if nothing is being sent (seconds).
_LINK_OPTIONS = (
    (socket.TCP_KEEPIDLE, 10),
    (socket.TCP_KEEPINTVL, 5),
    (socket.TCP_KEEPCNT, 3),
)


class _Transport(typing.Protocol):
    """
    What we use of a transport, from ITCPTransport, IPushProducer and IConsumer.
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


class Shared:
    """
    What the connections of one process share.

    @ivar reactor: the reactor.
    @ivar seconds: its clock.
    @ivar hangups: tells of hang-ups while nothing is read.
    @ivar closing: connections that are closing, and are aborted if nothing
        comes of that.
    @ivar trials: connections to apps that are left idle to see whether they
        stay open.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.seconds: Callable[[], float] = reactor.seconds
        self.hangups = HangupWatcher(reactor)
        self.closing: Deadlines[Connection] = Deadlines(
            reactor, CLOSE_TIMEOUT / 2, lambda connection: connection.closesSlowly()
        )
        self.trials: Deadlines[Any] = Deadlines(
            reactor, IDLE_PROOF, lambda connection: connection.survived()
        )

    def stop(self) -> None:
        """
        Let go of the reactor.
        """
        self.hangups.stop()
        self.closing.stopAll()
        self.trials.stopAll()


@implementer(IHalfCloseableProtocol, IPushProducer)
class Connection(Protocol):
    """
    A connection that can be an end of an exchange.

    Subclasses say what is to be done with what is received, and get told by
    L{filled}, L{emptied}, L{peerEnded}, L{hungUp} and L{closed}.

    @ivar congested: what was written has not left yet, and more should wait.
    @ivar alive: the transport is there, and nobody has begun to close it.
    @ivar read_ended: the peer has half-closed.
    """

    _tcp: _Transport
    congested = False
    alive = False
    read_ended = False
    _holds = 0
    _watched = -1
    _lingering = False
    _producing = False
    # What the peer had taken at the last look; the first one finds enough.
    _taken = -CLOSE_LEAST

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        self.alive = True
        self._tcp = cast(_Transport, self.transport)
        if type(self.transport) is EpollTransport:
            self.transport.deliverTo(self.dataReceived)
        if type(self).write is Connection.write:
            # Nothing stands between: a call less for each write.
            self.write = self._tcp.write  # type: ignore[method-assign]
        if isinstance(self._tcp.getPeer(), (IPv4Address, IPv6Address)):
            self._tcp.setTcpNoDelay(True)
        self._producing = True
        self._tcp.registerProducer(self, True)

    @property
    def stream(self) -> MovableStream | None:
        """
        See L{brxy.transport.relay.End}.
        """
        transport = self.transport
        return transport if type(transport) is EpollTransport else None

    def watchLink(self) -> None:
        """
        Let the kernel find out when the link was cut while nothing is sent; for
        other times see L{isCut}.
        """
        if not isinstance(self._tcp.getPeer(), (IPv4Address, IPv6Address)):
            return
        handle = getattr(self.transport, "getHandle", None)
        if handle is not None:
            sock: socket.socket = handle()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _LINK_OPTIONS:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)

    # Reading

    def hold(self, why: int) -> None:
        """
        Do not read until this and every other reason is gone.
        """
        if not self._holds and self.alive:
            self._tcp.pauseProducing()
            self._watch()
        self._holds |= why

    def release(self, why: int) -> None:
        """
        This reason is gone.
        """
        if self._holds & why:
            self._holds &= ~why
            if not self._holds and self.alive:
                self._unwatch()
                self._read()

    def pause(self) -> None:
        """
        See L{brxy.interfaces.IExchangeEnd}.
        """
        self.hold(HOLD_PEER)

    def resume(self) -> None:
        """
        See L{brxy.interfaces.IExchangeEnd}.
        """
        self.release(HOLD_PEER)

    def _watch(self) -> None:
        # A transport in memory has no descriptor; nobody can hang up on it.
        fileno = getattr(self.transport, "fileno", None)
        if fileno is not None and not self.read_ended:
            self._watched = fileno()
            self.shared.hangups.watch(self._watched, self.hungUp)

    def _unwatch(self) -> None:
        if self._watched >= 0:
            self.shared.hangups.unwatch(self._watched)
            self._watched = -1

    def _read(self) -> None:
        # A transport that is told to read on after the end tells of that again.
        if not self.read_ended:
            self._tcp.resumeProducing()

    def hungUp(self, broken: bool) -> None:
        """
        While nothing is read, the peer closed (C{broken}) or half-closed.
        """

    # Writing

    def isBehind(self) -> bool:
        """
        Whether the peer has yet to take what would be sent to it.
        """
        # What is moved unread fills no buffer.
        return self.congested or (self.stream is not None and self.stream.pending())

    def pauseProducing(self) -> None:
        """
        The transport's buffer is full.  See L{IPushProducer}.
        """
        self.congested = True
        self.filled()

    def resumeProducing(self) -> None:
        """
        The transport's buffer is empty again.  See L{IPushProducer}.
        """
        self.congested = False
        self.emptied()

    def stopProducing(self) -> None:
        """
        The transport is gone; L{connectionLost} follows.
        """

    def filled(self) -> None:
        """
        More bytes should wait.
        """

    def emptied(self) -> None:
        """
        More bytes may come.
        """

    def write(self, data: bytes) -> None:
        """
        See L{brxy.interfaces.IExchangeEnd}.
        """
        self._tcp.write(data)

    def end(self) -> None:
        """
        See L{brxy.interfaces.IExchangeEnd}.
        """
        self._endWriting()
        self._tcp.loseWriteConnection()

    def _endWriting(self) -> None:
        # Once all is sent, a transport would ask its producer for more instead
        # of closing.
        if self._producing:
            self._producing = False
            self._tcp.unregisterProducer()
            if self.congested:
                self.resumeProducing()

    # Closing

    def readConnectionLost(self) -> None:
        """
        The peer half-closed.  See L{IHalfCloseableProtocol}.
        """
        self.read_ended = True
        if self._lingering:
            self._tcp.loseConnection()
        else:
            self.peerEnded()

    def writeConnectionLost(self) -> None:
        """
        What we half-closed has been sent.  See L{IHalfCloseableProtocol}.
        """
        if self.read_ended:
            # Both halves are shut, and connectionLost may never come by itself.
            self._leave()
            self._tcp.loseConnection()

    def peerEnded(self) -> None:
        """
        The peer will send nothing more.
        """
        self.close()

    def close(self) -> None:
        """
        Close once everything written has been sent, unless the peer takes
        nothing for L{CLOSE_TIMEOUT}.
        """
        if self.alive:
            self._leave()
            self._endWriting()
            self._tcp.loseConnection()

    def linger(self) -> None:
        """
        Close to a peer that may still be sending: half-close, and read and
        discard what comes, for a close with unread bytes would cut off what
        was written (RFC 9112 §9.6).
        """
        if not self.alive:
            return
        if self.read_ended:
            self.close()
            return
        self._lingering = True
        reading = not self._holds
        self._leave()
        if not reading:
            self._read()
        self._endWriting()
        self._tcp.loseWriteConnection()

    def abort(self) -> None:
        """
        Close at once; what was written may be lost, and the peer sees a reset.
        """
        if self.transport is not None:
            self._leave()
            self._tcp.abortConnection()

    def closesSlowly(self) -> None:
        """
        Closing takes long: a peer that takes what is left gets more time.
        """
        before, self._taken = self._taken, self.countTaken()
        if self._taken >= before + CLOSE_LEAST:
            self.shared.closing.start(self)
        else:
            self.abort()

    def countTaken(self) -> int:
        """
        How many bytes the peer has acknowledged; 0 where nobody can tell, as on Unix
        sockets.
        """
        return takenOf(readInfo(self.transport)) if self.isCounted() else 0

    def countGiven(self) -> int:
        """
        How many bytes have come from the peer, read or not; 0 where nobody can tell.
        """
        return givenOf(readInfo(self.transport)) if self.isCounted() else 0

    def isCut(self) -> bool:
        """
        Whether the link to the peer is cut, as far as the kernel can tell.
        """
        return self.isCounted() and isCut(readInfo(self.transport))

    def isCounted(self) -> bool:
        """
        Whether somebody counts the bytes that come and go: the kernel does for TCP.
        """
        return hasattr(self.transport, "getHandle") and isinstance(
            self._tcp.getPeer(), (IPv4Address, IPv6Address)
        )

    def _leave(self) -> None:
        if self.alive:
            self.alive = False
            self._unwatch()
            self.shared.closing.start(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        if self.alive:
            self.alive = False
        self._unwatch()
        self.shared.closing.stop(self)
        self.closed(reason)

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
