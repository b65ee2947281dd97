"""
A stream transport for a proxy: what Twisted's own transports do, with half of
their system calls.

Twisted's buffer every write, ask the reactor to tell when the socket takes
bytes, write then, and tell the reactor to be quiet again.  Here a write goes to
the socket at once, and each socket is registered once, edge-triggered, for
everything, with an epoll object of our own that the reactor watches as one
reader.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
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

from brxy.transport.poller import Poller
from brxy.transport.sending import Sending
from brxy.transport.splice import Move

__all__ = ["EVERYTHING", "EpollTransport"]

# What a connection is registered for, once for its life.
EVERYTHING = (
    select.EPOLLIN | select.EPOLLPRI | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
)
# Events after which a short read need not be the last: behind it there may be
# an end or an error, or what follows an urgent byte.
_ENDING = select.EPOLLPRI | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_READABLE = select.EPOLLIN | _ENDING

# Most messages are short; memory for a long one costs more than it is worth
# before it is known that there is one.
_SHORT = 16 * 1024
# What else is read from one connection before the others get their turn.
_LONG = 256 * 1024
# How often bytes are moved between two connections in one turn.
_MOVES = 4

_DONE = Failure(ConnectionDone())
_LOST = Failure(ConnectionLost())
_ABORTED = Failure(ConnectionAborted())

# l_onoff and l_linger of socket(7): closing sends a reset.
_RESET = struct.pack("ii", 1, 0)


def _nobody(data: bytes) -> None:
    """
    Takes what comes before there is a protocol: nothing does.
    """


@implementer(ITCPTransport, IPushProducer, IConsumer, ISystemHandle)
class EpollTransport(Sending):
    """
    One connection.

    What is not told by the interfaces is as with Twisted's own transports:
    C{connectionLost} never comes while a method of this is being called, a
    streaming producer does not keep a connection open, and a pause hides that
    the peer hangs up.  Other than there, what had come in before a write failed
    is still delivered.

    @ivar protocol: who gets what comes in.
    """

    _log = Logger()

    __slots__ = (
        "_aborted",
        "_deliver",
        "_lost",
        "_read_ended",
        "_reading",
        "_recv",
        "_move",
        "_unread",
    )

    def __init__(self, poller: Poller, sock: socket.socket, peer: IAddress) -> None:
        """
        @param sock: non-blocking; of a stream type.
        """
        super().__init__(poller, sock, peer)
        self._recv = sock.recv
        self._lost: Callable[[Failure], object] | None = None
        # The protocol wants to be told; there may be something; the peer has ended.
        self._reading = False
        self._unread = False
        self._read_ended = False
        self._aborted = False
        # What comes in goes to another one unread.
        self._move: Move | None = None
        self._deliver: Callable[[bytes], object] = _nobody

    def start(self, protocol: IProtocol, lost: Callable[[Failure], object] | None = None) -> None:
        """
        The connection is up.

        @param protocol: whose it is.
        @param lost: who else is told when it is lost, after the protocol.
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
        Call this with what comes in, and not what endpoints and other users of
        Twisted's have wrapped around a protocol: such a layer only passes on.
        """
        self._deliver = deliver

    # What happens, told by the poller

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
                    self._lose(_LOST)
        if not self._clear and (self._buffer or self._pipe is not None):
            self._flush()

    def _read(self, ending: int, size: int = _SHORT) -> None:
        if self._move is not None:
            self._moveMore(self._move)
            return
        try:
            data = self._recv(size)
        except BlockingIOError:
            return
        except OSError:
            self._lose(_LOST)
            return
        if not data:
            self._readEnd()
            return
        self._deliver(data)
        # After less than was asked for, the kernel tells when more comes.
        if ending or len(data) == size:
            self._readOn(size)

    def _readOn(self, size: int) -> None:
        """
        There may be more than was read, which was so much at most.
        """
        if not self._reading:
            self._unread = True
        elif size == _SHORT and not self._poller.isShort():
            self._read(_ENDING, _LONG)
        else:
            self._readAgain()

    def _readAgain(self) -> None:
        self._unread = self._broken
        if self._broken:
            # It is read in turns of its own, see settle.
            self._poller.later(self)
        else:
            self._poller.again(self._socket.fileno(), EVERYTHING)

    # Moving without reading

    def moveTo(self, move: Move) -> None:
        """
        Move what comes in to another connection, unread, from now on.
        """
        self._move = move
        move.target.moveFrom(self)
        self._unread = True
        if self._reading:
            self._readAgain()

    def stopMoving(self) -> None:
        """
        What comes in is for the protocol again.  Does nothing if it is.
        """
        move, self._move = self._move, None
        if move is not None:
            move.target.moveFrom(None)
            if self._reading and self._unread:
                self._readAgain()

    def _moveMore(self, move: Move) -> None:
        """
        Move what can be moved in one turn.
        """
        for _ in range(_MOVES):
            if not self._reading or move.target.pending():
                self._unread = True
                return
            if not self._moveOnce(move):
                return
        self._readAgain()

    def moveOn(self) -> None:
        """
        There is room again where it goes to.
        """
        if self._broken:
            self._readAgain()
        elif self._move is not None:
            try:
                self._moveMore(self._move)
            except Exception:
                # It is ours, not that of who told us.
                self.failed(Failure())

    def _moveOnce(self, move: Move) -> bool:
        """
        @return: whether to go on.
        """
        try:
            count = self._moveSome(move)
        except BlockingIOError:
            return False
        except OSError:
            self._lose(_LOST)
            return False
        if not count:
            self._readEnd()
            return False
        move.count -= count
        if move.goesOn(count):
            return True
        self.stopMoving()
        self._readAgain()
        move.over()
        return False

    def _moveSome(self, move: Move) -> int:
        """
        @return: how many bytes were moved; 0 at the end.
        @raise OSError: as C{recv}.
        """
        pipes = self._poller.pipes
        try:
            pipe = pipes.take()
        except OSError:
            # Out of descriptors or pipes: copying needs none.
            most = _SHORT if self._poller.isShort() else _LONG
            data = self._recv(min(move.limit(), most))
            if data:
                move.target.write(move.head(len(data)) + data)
            return len(data)
        try:
            count = pipe.fill(self._socket.fileno(), move.limit())
        except OSError:
            pipes.give(pipe)
            raise
        if count:
            move.target.takePipe(pipe, move.head(count))
        else:
            pipes.give(pipe)
        return count

    def _readEnd(self) -> None:
        self._reading = False
        self._read_ended = True
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if self._broken:
            # The write has taken the error that a read would have met here.
            self._lose(_LOST)
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
            # What came before that is still good.
            self._unread = False
            if self._reading:
                self._read(_ENDING)
            # What is moved may have to wait for room.
            if not (self._reading and self._unread):
                self._lose(_LOST)
        elif not self.pending():
            self._sent()

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
            # What was written before this happened is as good as sent.
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
        self._deliver = _nobody
        protocol.connectionLost(reason)
        if self._lost is not None:
            self._lost(reason)

    # ITransport

    def loseConnection(self) -> None:
        """
        Close once everything is sent; nothing more is read.
        """
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._reading = False
            self._watch()
            self._poller.later(self)

    def abortConnection(self) -> None:
        """
        Close at once, by a reset.
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

    # IConsumer

    # The socket
