"""
A network in memory for tests, in which every byte is delivered by hand.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import IPushProducer, ITCPTransport
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.reactor.hangup import HangupWatcher
from brxy.test.support.memory.recorders import HalfRecorder
from brxy.transport.connection import Shared
from brxy.uptake.sockdiag import Queue, Seen
from brxy.wire.frames import Decoder

__all__ = [
    "TCP_ADDRESS",
    "UNIX_ADDRESS",
    "FakeApp",
    "FakeDiag",
    "FakeReactor",
    "PipeEnd",
    "connect",
    "settle",
]

# The port of the first connection that is made here; the next ones have those after it.
_PORT = 50000

TCP_ADDRESS = IPv4Address("TCP", "127.0.0.1", 20000)
UNIX_ADDRESS = UNIXAddress("/slot")


# States of linux/tcp_states.h.
_ESTABLISHED, _CLOSE, _CLOSE_WAIT = 1, 7, 8


class _Handle:
    """
    The part of a socket that brxy uses.
    """

    def __init__(self, end: PipeEnd) -> None:
        self._end = end

    def setsockopt(self, *option: int) -> None:
        self._end.options.append(option)

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        """
        @return: the kernel's counters: the bytes that the other side has read,
            and those that have arrived from it.
        """
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        end, other = self._end, self._end.other
        taken = max(0, len(end.written()) - len(other.pending()))
        state = _CLOSE_WAIT if other.ending else _ESTABLISHED
        if end.isBroken():
            state = _CLOSE
        counted = (state, len(other.pending()), taken, len(other.written()))
        return struct.pack("B23xI92xQQ12x", *counted)[:size]

    def recv(self, size: int, flags: int) -> bytes:
        """
        Peek at the bytes that have arrived.
        """
        assert flags == socket.MSG_PEEK
        if not self._end.pending() and not self._end.other.ending:
            raise BlockingIOError
        return self._end.pending()[:size]


@implementer(ITCPTransport)
class PipeEnd:
    """
    One end of a connection in memory, as a transport that behaves as Twisted's
    do: a buffer with a limit, half-closes, and ends that are reported in a
    later turn.

    @ivar writes: what was written, write by write.
    @ivar ending: nothing more will be written.
    @ivar aborted: the connection was aborted from this end.
    @ivar lost: the protocol has been notified that the connection is gone.
    @ivar reading: the protocol reads.
    @ivar options: the socket options that were set.
    """

    disconnecting = False

    def __init__(self, clock: Any, address: Any, limit: int, own: Any = None) -> None:
        self.other: PipeEnd = self
        self.protocol: Any = None
        self.writes: list[bytes] = []
        self.options: list[tuple[int, ...]] = []
        self.ending = self.aborted = self.lost = False
        self.reading = True
        self._clock = clock
        self._address = address
        self._own = own or address
        self._limit = limit
        self._outbox = bytearray()
        self._producer: Any = None
        self._full = False
        self._broken = False
        self._closing = False
        self._end_seen = False

    # For tests

    def isBroken(self) -> bool:
        """
        Whether the other side has reset the connection.
        """
        return self._broken

    def pending(self) -> bytes:
        """
        @return: what this end would receive now.
        """
        return bytes(self.other._outbox)

    def deliver(self, size: int | None = None) -> bool:
        """
        Have this end receive up to this many bytes, or the event after the
        last one.

        @return: whether anything happened.
        """
        if self.lost or self.aborted or self._closing:
            return False
        if not self.reading:
            return self._hangUp()
        data = self.pending()[:size]
        if self._broken and not data:
            self._lose(ConnectionLost())
            return True
        if data:
            del self.other._outbox[: len(data)]
            self.protocol.dataReceived(data)
            if not self.other._outbox:
                self.other._drained()
            return True
        if self.other.ending and not self._end_seen:
            self._end_seen = True
            self.protocol.readConnectionLost()
            return True
        return False

    def _hangUp(self) -> bool:
        watched = getattr(self._clock, "hangups", {})
        if self.fileno() in watched and (self._broken or self.other.ending):
            watched.pop(self.fileno())(self._broken)
            return True
        return False

    def closeUnread(self) -> None:
        """
        Close with bytes that were not read, if there are some: the other side receives what was
        written, and then a reset.
        """
        self.other._broken = bool(self.pending())
        self.lost = self.ending = True

    def written(self) -> bytes:
        """
        @return: everything that was written.
        """
        return b"".join(self.writes)

    def frames(self) -> list[tuple[int, int, bytes]]:
        """
        @return: everything that was written, as frames of the slot protocol.
            It is forgotten then.
        """
        data = self.written()
        self.writes.clear()
        return Decoder().feed(data)

    def _drained(self) -> None:
        if self._full:
            self._full = False
            if self._producer is not None:
                # Twisted's transports do this in place of closing.
                self._producer.resumeProducing()
                return
        if self.ending:
            self._clock.callLater(0, self._endWritten)

    def _endWritten(self) -> None:
        if self.lost or self.aborted:
            return
        if self._closing:
            self._lose(ConnectionDone())
        elif self.ending:
            self.protocol.writeConnectionLost()

    def _lose(self, reason: Exception) -> None:
        if not self.lost:
            self.lost = True
            if self.pending():
                # Unread bytes turn a close into a reset.
                self.other._broken = True
            self.ending = True
            self.protocol.connectionLost(Failure(reason))

    # ITCPTransport

    def write(self, data: bytes) -> None:
        if self.lost or self.aborted or (self.ending and not self._closing):
            return
        self.writes.append(bytes(data))
        if self.other.lost:
            self._broken = True
            return
        self._outbox += data
        if len(self._outbox) > self._limit and not self._full:
            self._full = True
            if self._producer is not None:
                self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        if not self.lost and not self._closing:
            self._closing = self.ending = self.disconnecting = True
            if not self._outbox:
                self._clock.callLater(0, self._endWritten)

    def loseWriteConnection(self) -> None:
        if not self.lost and not self.ending:
            self.ending = True
            if not self._outbox:
                self._clock.callLater(0, self._endWritten)

    def abortConnection(self) -> None:
        if not self.lost and not self.aborted:
            self.aborted = True
            self._outbox.clear()
            self.other._broken = True
            self._clock.callLater(0, self._lose, ConnectionAborted())

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming and IPushProducer.providedBy(producer)
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def getPeer(self) -> Any:
        return self._address

    def getHost(self) -> Any:
        return self._own

    def fileno(self) -> int:
        return id(self)

    def getHandle(self) -> _Handle:
        return _Handle(self)

    def setTcpNoDelay(self, enabled: bool) -> None:
        assert enabled

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        raise NotImplementedError

    def getTcpKeepAlive(self) -> bool:
        raise NotImplementedError


def connect(
    clock: Any,
    one: Any,
    other: Any,
    address: Any = UNIX_ADDRESS,
    limit: int = 65536,
    own: Any = None,
) -> tuple[PipeEnd, PipeEnd]:
    """
    Connect two protocols.

    @param limit: how many bytes are buffered before a producer is paused.
    @param own: the address of the first one's own end.
    @return: the transport of each.
    """
    ends = PipeEnd(clock, address, limit, own), PipeEnd(clock, address, limit)
    ends[0].other, ends[1].other = ends[1], ends[0]
    for end, protocol in zip(ends, (one, other), strict=True):
        end.protocol = protocol
    for end in ends:
        end.protocol.makeConnection(end)
    return ends


def settle(clock: Any, ends: Callable[[], Sequence[PipeEnd]]) -> None:
    """
    Deliver all pending bytes, and what follows from them, without letting time
    pass.
    """
    while True:
        clock.advance(0)
        if not any([end.deliver() for end in ends()]):
            return


class FakeApp(HalfRecorder):
    """
    One connection of an app, on the app's side.

    @ivar end: its transport.
    """

    end: PipeEnd


class FakeDiag:
    """
    What the kernel knows of the connections of a L{FakeReactor}, as of
    L{brxy.uptake.sockdiag}.  What the app has not received, it has not read.

    @ivar accepted: the connections that the app has accepted.
    @ivar hidden: the connections can't be seen.
    @ivar listeners: how many listeners share the address.
    @ivar looks: how many times connections were looked at.
    @ivar closed: it was closed.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        self._reactor = reactor
        self.accepted: set[FakeApp] = set()
        self.hidden = False
        self.listeners = 1
        self.looks = 0
        self.closed = False

    def find(self, ours: tuple[str, int]) -> FakeApp:
        """
        @return: the app's end of a connection.
        """
        return self._reactor.apps[ours[1] - _PORT]

    def look(self, app: tuple[str, int], ours: tuple[str, int]) -> Seen | None:
        assert not self.closed, "a look after its end"
        self.looks += 1
        found = self.find(ours)
        if self.hidden or found.end.lost:
            return None
        return Seen(found in self.accepted, len(found.end.pending()))

    def knows(self, app: tuple[str, int], ours: tuple[str, int]) -> bool:
        return not self.hidden

    def queue(self, app: tuple[str, int]) -> Queue | None:
        assert not self.closed, "a look after its end"
        if not self.listeners:
            return None
        waiting = [each for each in self._reactor.apps if each not in self.accepted]
        # A connection that was reset remains in the queue.
        return Queue(len(waiting), self.listeners)

    def close(self) -> None:
        self.closed = True


class _Hangups(HangupWatcher):
    """
    Watches connections in memory for hang-ups.
    """

    def __init__(self, watched: dict[int, Callable[[bool], None]]) -> None:
        self._watched = watched

    def watch(self, fd: int, hungUp: Callable[[bool], None]) -> None:
        self._watched[fd] = hungUp

    def unwatch(self, fd: int) -> None:
        self._watched.pop(fd, None)

    def stop(self) -> None:
        self._watched.clear()


class FakeReactor(MemoryReactorClock):
    """
    A reactor whose clock and network are moved by hand.

    @ivar shared: for connections in it.
    @ivar hangups: the connections that are watched for a hang-up.
    @ivar apps: each connection that an app has accepted.
    @ivar ends: both transports of each of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shared = Shared(self)
        self.hangups: dict[int, Callable[[bool], None]] = {}
        self.shared.hangups = _Hangups(self.hangups)
        self.apps: list[FakeApp] = []
        self.ends: list[PipeEnd] = []
        self._answered = 0

    def dialling(self) -> int:
        """
        @return: how many attempts to connect are pending.
        """
        self._skipCancelled()
        attempts = self.connectors[self._answered :]
        return sum(not attempt.stoppedConnecting for attempt in attempts)

    def _skipCancelled(self) -> None:
        while (
            self._answered < len(self.connectors)
            and self.connectors[self._answered].stoppedConnecting
        ):
            self._answered += 1

    def _next(self) -> Any:
        self._skipCancelled()
        factory = self.tcpClients[self._answered][2]
        self._answered += 1
        return factory

    def accept(self, limit: int = 65536) -> FakeApp:
        """
        Have the oldest attempt succeed.
        """
        app = FakeApp()
        protocol = self._next().buildProtocol(TCP_ADDRESS)
        ours = IPv4Address("TCP", "127.0.0.1", _PORT + len(self.apps))
        _, app.end = ends = connect(self, protocol, app, TCP_ADDRESS, limit, ours)
        self.apps.append(app)
        self.ends += ends
        return app

    def refuse(self, error: Exception | None = None) -> None:
        """
        Have the oldest attempt fail.
        """
        connector = self.connectors[self._answered]
        factory = self._next()
        factory.clientConnectionFailed(connector, Failure(error or ConnectionRefusedError()))

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> None:
        """
        Call a function in a turn of the reactor.
        """
        self.callLater(0, call, *args)

    def timers(self) -> int:
        """
        @return: how many delayed calls there are.
        """
        return len(self.getDelayedCalls())
