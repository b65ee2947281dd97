"""
A stream transport for a proxy: what Twisted's transports do, with half of the system
calls.

Twisted's transports buffer every write, register with the reactor until the socket takes
bytes, and write then.  Here a write goes to the socket in the same turn.  Each socket is
registered once, edge-triggered and for all events, with an epoll object of our own, which
the reactor watches as one reader.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.transport.moving import LONG, LOST, SHORT, Moving
from brxy.transport.poller import Poller

__all__ = ["EVERYTHING", "EpollTransport"]

# What a connection is registered for, once for its life.
EVERYTHING = (
    select.EPOLLIN | select.EPOLLPRI | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
)
# Events after which a short read may not be the last: an end, an error or what follows an
# urgent byte may be next.
_ENDING = select.EPOLLPRI | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_READABLE = select.EPOLLIN | _ENDING

_DONE = Failure(ConnectionDone())
_ABORTED = Failure(ConnectionAborted())

# l_onoff and l_linger of socket(7): closing sends a reset.
_RESET = struct.pack("ii", 1, 0)


def _discard(data: bytes) -> None:
    """
    Stands in for C{dataReceived} while there is no protocol: nothing is read then.
    """


@implementer(ITCPTransport, IPushProducer, IConsumer, ISystemHandle)
class EpollTransport(Moving):
    """
    One connection.

    Where the interfaces leave it open, this behaves as Twisted's own transports do:
    C{connectionLost} is never called from within a method of the transport, a streaming
    producer does not keep a connection open, and while reading is paused a hang-up of
    the peer goes unnoticed.  One thing differs: bytes that came in before a write failed
    are still delivered.

    @ivar protocol: what receives the bytes that come in.
    @ivar patient: while reading is paused, a failed write loses nothing that came in: it is
        delivered once reading is resumed, and then the connection is lost.
    """

    _log = Logger()

    __slots__ = ("_aborted", "_deliver", "_lost", "_read_ended", "patient")

    def __init__(self, poller: Poller, sock: socket.socket, peer: IAddress) -> None:
        """
        @param sock: non-blocking; of a stream type.
        """
        super().__init__(poller, sock, peer)
        self._lost: Callable[[Failure], object] | None = None
        # The peer has half-closed.
        self._read_ended = False
        self._aborted = False
        self.patient = False
        self._deliver: Callable[[bytes], object] = _discard

    def start(self, protocol: IProtocol, lost: Callable[[Failure], object] | None = None) -> None:
        """
        The connection is up.

        @param protocol: what receives the bytes that come in.
        @param lost: called when the connection is lost, after the protocol.
        """
        self.protocol = protocol
        self._deliver = protocol.dataReceived
        self._lost = lost
        self.connected = self._writable = self._clear = self._reading = True
        try:
            protocol.makeConnection(self)
        except Exception:
            self.failed(Failure())

    def deliverTo(self, deliver: Callable[[bytes], object]) -> None:
        """
        Call this with the bytes that come in, and bypass what endpoints have wrapped
        around the protocol: such a wrapper only passes bytes on.
        """
        self._deliver = deliver

    # What the poller reports

    def happened(self, events: int) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        if events & _READABLE:
            if self._reading:
                self._read(events & _ENDING)
            else:
                self._unread = True
                if self._read_ended and events & select.EPOLLERR:
                    self._lose(LOST)
        if not self._clear and (self._buffer or self._pipe is not None):
            self._flush()

    def _read(self, ending: int, size: int = SHORT) -> None:
        if self._move is not None:
            self._moveMore(self._move)
            return
        try:
            data = self._recv(size)
        except BlockingIOError:
            return
        except OSError:
            self._lose(LOST)
            return
        if not data:
            self._readEnd()
            return
        self._deliver(data)
        # After a short read, the kernel reports when more comes.
        if ending or len(data) == size:
            self._readOn(size)

    def _readOn(self, size: int) -> None:
        """
        More bytes may be waiting after a read of at most C{size}.
        """
        if not self._reading:
            self._unread = True
        elif size == SHORT and not self._poller.isShort():
            self._read(_ENDING, LONG)
        else:
            self._readAgain()

    def _readAgain(self) -> None:
        self._unread = self._broken
        if self._broken:
            # settle reads the rest.
            self._poller.later(self)
        else:
            self._poller.again(self._socket.fileno(), EVERYTHING)

    def _readEnd(self) -> None:
        self._reading = False
        self._read_ended = True
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if self._broken:
            # A write has met the error that this read would have met.
            self._lose(LOST)
        elif protocol is None:
            self._lose(_DONE)
        else:
            protocol.readConnectionLost()

    def settle(self) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        if not self.connected:
            return
        if self._aborted:
            self._lose(_ABORTED)
        elif self._broken:
            # Bytes that came before the error are still delivered.
            self._unread = paused = self._isPatient()
            if paused:
                return
            if self._reading:
                self._read(_ENDING)
            # A move may have to wait for room, and a patient protocol may have paused.
            if not (self._unread and (self._reading or self._isPatient())):
                self._lose(LOST)
        elif not self.pending():
            self._sent()

    def _isPatient(self) -> bool:
        paused = not (self._reading or self._read_ended or self.disconnecting)
        return self.patient and paused

    def failed(self, failure: Failure) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        self._log.failure("a protocol failed, and loses its connection", failure)
        self._lose(failure)

    def _lose(self, reason: Failure) -> None:
        if not self.connected:
            return
        self.connected = self._writable = self._clear = self._reading = False
        if self._fresh:
            # Send what was written before in this turn.
            with suppress(OSError):
                self._send(self._fresh)
            self._fresh = b""
        self._forget()
        fd = self._socket.fileno()
        if self._aborted:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.close()
        self.stopMoving()
        if self._moved_from is not None:
            self._moved_from.stopMoving()
        self._dropPipe()
        self._poller.closed(fd)
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        protocol, self.protocol = self.protocol, None
        self._deliver = _discard
        protocol.connectionLost(reason)
        if self._lost is not None:
            self._lost(reason)

    # ITransport

    def loseConnection(self) -> None:
        """
        Close when everything is sent; nothing more is read.
        """
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._reading = False
            self._watch()
            self._poller.later(self)

    def duplicate(self) -> socket.socket:
        """
        Duplicate the socket, for another process that goes on with the connection.  Call
        C{loseConnection} next; nothing may be pending.
        """
        self._poller.unwatch(self._socket.fileno())
        return self._socket.dup()

    def abortConnection(self) -> None:
        """
        Close at once, with a reset.
        """
        if self.connected and not self._aborted:
            self._aborted = self.disconnecting = True
            self._reading = False
            self._writeNoMore()

    # IPushProducer

    def pauseProducing(self) -> None:
        """
        Read nothing for now.
        """
        self._reading = False

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        if self.connected and not self.disconnecting and not self._read_ended:
            self._reading = True
            if self._unread:
                self._readAgain()

    def stopProducing(self) -> None:
        """
        See L{loseConnection}.
        """
        self.loseConnection()
