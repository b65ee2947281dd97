"""
The base of the protocols for clients, slots and apps: reading that can be held back, a
flag for a full write buffer, and several ways to close.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.reactor.deadlines import Deadlines
from brxy.reactor.hangup import HangupWatcher
from brxy.transport.holding import Holding
from brxy.transport.link import Transport
from brxy.transport.splice import MovableStream
from brxy.transport.stream import EpollTransport

__all__ = ["IDLE_PROOF", "Connection", "Shared"]

# Seconds for a closing connection, if its peer acknowledges nothing.
CLOSE_TIMEOUT = 10.0

# A closing connection is checked at half of CLOSE_TIMEOUT.  It gets another half for every
# CLOSE_LEAST bytes that the peer acknowledged since, so a peer that trickles single bytes
# is still cut.
CLOSE_LEAST = 100

# A connection that breaks off is checked at this interval (seconds) for bytes that the peer
# has not taken yet.
BREAK_PAUSE = 0.05

# An app that leaves a connection open for this long (seconds) after a response is taken to
# keep its connections open.
IDLE_PROOF = 0.05


class Shared:
    """
    What the connections of one process share.

    @ivar reactor: the reactor.
    @ivar seconds: its clock.
    @ivar hangups: reports hang-ups on connections that are not read.
    @ivar closing: connections that are closing; they are aborted if that takes too long.
    @ivar breaking: connections that are reset when the peer has what was written.
    @ivar trials: connections to apps that are left idle to see whether they stay open.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.seconds: Callable[[], float] = reactor.seconds
        self.hangups = HangupWatcher(reactor)
        self.closing: Deadlines[Connection] = Deadlines(
            reactor, CLOSE_TIMEOUT / 2, lambda connection: connection.closesSlowly()
        )
        self.breaking: Deadlines[Connection] = Deadlines(
            reactor, BREAK_PAUSE, lambda connection: connection.breaks()
        )
        self.trials: Deadlines[Any] = Deadlines(
            reactor, IDLE_PROOF, lambda connection: connection.survived()
        )

    def stop(self) -> None:
        """
        Stop all timers and watches.
        """
        self.hangups.stop()
        self.closing.stopAll()
        self.breaking.stopAll()
        self.trials.stopAll()


@implementer(IHalfCloseableProtocol, IPushProducer)
class Connection(Holding):
    """
    A connection that can be an end of an exchange.

    Subclasses define C{dataReceived}, and override L{filled}, L{emptied}, L{peerEnded},
    C{hungUp} and L{closed} for what else happens.

    @ivar congested: what was written has not been sent yet, and more should wait.
    """

    shared: Shared
    congested = False
    _lingering = False
    _producing = False
    # At the last check the peer had all that the kernel was given; what it had got by then.
    _empty = False
    _sent_before = 0
    # What the peer had acknowledged at the last check; the first check always passes.
    _taken = -CLOSE_LEAST

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        self.alive = True
        self._tcp = cast(Transport, self.transport)
        if type(self.transport) is EpollTransport:
            self.transport.deliverTo(self.dataReceived)
        if type(self).write is Connection.write:
            # Saves a call for each write.  What is wrapped around this protocol later
            # does not see these writes.
            self.write = self._tcp.write  # type: ignore[method-assign]
        if self.isTCP():
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

    # Writing

    def isBehind(self) -> bool:
        """
        Whether there are bytes that the peer has not taken yet.
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
        See L{brxy.transport.relay.End}.
        """
        self._tcp.write(data)

    def end(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._endWriting()
        self._tcp.loseWriteConnection()

    def _endWriting(self) -> None:
        # With a producer registered, a transport that has sent everything would resume
        # the producer instead of closing.
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
        Everything is sent, and our direction is shut.  See L{IHalfCloseableProtocol}.
        """
        if self.read_ended:
            # With both halves shut, connectionLost may never come by itself.
            self._leave()
            self._tcp.loseConnection()

    def peerEnded(self) -> None:
        """
        The peer will send nothing more.
        """
        self.close()

    def close(self) -> None:
        """
        Close when everything written has been sent, or the peer has taken nothing for
        L{CLOSE_TIMEOUT}.
        """
        if self.alive:
            self._leave()
            self._endWriting()
            self._tcp.loseConnection()

    def linger(self) -> None:
        """
        Close to a peer that may still be sending: half-close, then read and discard
        what comes.  A close with unread bytes would reset the connection, and the peer
        could lose what was written (RFC 9112 §9.6).
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

    def breakOff(self) -> None:
        """
        Close with a reset, as L{abort} does, but when the peer has what was written, or has
        taken nothing for L{CLOSE_TIMEOUT}.
        """
        if self.alive:
            self._leave()
            self.shared.breaking.start(self)
        else:
            self.abort()

    def breaks(self) -> None:
        """
        Reset the connection if the peer has everything.
        """
        # What a transport has buffered goes to an empty kernel in the next turn.  So the
        # peer has everything if it had all of the kernel's at two checks, and got nothing
        # between them.
        taken = self.countTaken()
        empty = self.isSent() and not self.isBehind()
        if empty and self._empty and taken == self._sent_before:
            self.abort()
            return
        self._empty, self._sent_before = empty, taken
        self.shared.breaking.start(self)

    def closesSlowly(self) -> None:
        """
        Closing takes long: a peer that takes the rest gets more time.
        """
        before, self._taken = self._taken, self.countTaken()
        if self._taken >= before + CLOSE_LEAST:
            self.shared.closing.start(self)
        else:
            self.abort()

    def _leave(self) -> None:
        if self.alive:
            self.alive = False
            self._unwatch()
            self.shared.closing.start(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self.alive:
            self.alive = False
        self._unwatch()
        self.shared.closing.stop(self)
        self.shared.breaking.stop(self)
        self.closed(reason)

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
