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
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
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

from brxy.poller import Poller
from brxy.splice import Move, Pipe

__all__ = ["EVERYTHING", "EpollTransport", "addressOf"]

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
# So many bytes are kept for the end of the turn: more would be copied together
# for nothing.
_TOGETHER = 16 * 1024
# A producer is told to pause when so much could not be sent.
_FULL = 64 * 1024

_DONE = Failure(ConnectionDone())
_LOST = Failure(ConnectionLost())
_ABORTED = Failure(ConnectionAborted())

# l_onoff and l_linger of socket(7): closing sends a reset.
_RESET = struct.pack("ii", 1, 0)


def addressOf(family: int, name: Any) -> IAddress:
    """
    A socket's name as an address.

    @param name: what C{getsockname}, C{getpeername} or C{accept} gave.
    """
    if family == socket.AF_UNIX:
        return cast(IAddress, UNIXAddress(name or None))
    if family == socket.AF_INET6:
        # With the zone of a link-local address in it.
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        host = socket.getnameinfo(name, numeric)[0]
        return cast(IAddress, IPv6Address("TCP", host, *name[1:]))
    return cast(IAddress, IPv4Address("TCP", *name))


def _nobody(data: bytes) -> None:
    """
    Takes what comes before there is a protocol: nothing does.
    """


@implementer(ITCPTransport, IPushProducer, IConsumer, ISystemHandle)
class EpollTransport:
    """
    One connection.

    What is not told by the interfaces is as with Twisted's own transports:
    C{connectionLost} never comes while a method of this is being called, a
    streaming producer does not keep a connection open, and a pause hides that
    the peer hangs up.  Other than there, what had come in before a write failed
    is still delivered.

    What is written while the poller serves its connections is sent at the end of
    that turn, with what all others have to send: whoever it wakes up is then
    busy for the next of it, and what is written piece by piece goes in one.

    @ivar connected: there is a connection.
    @ivar disconnecting: C{loseConnection} was called.
    @ivar protocol: who gets what comes in.
    """

    _log = Logger()

    __slots__ = (
        "_aborted",
        "_broken",
        "_buffer",
        "_clear",
        "_deliver",
        "_ended",
        "_ending",
        "_fresh",
        "_lost",
        "_peer",
        "_poller",
        "_producer",
        "_producer_paused",
        "_pulls",
        "_read_ended",
        "_reading",
        "_recv",
        "_send",
        "_head",
        "_move",
        "_moved_from",
        "_pipe",
        "_socket",
        "_unread",
        "_watched",
        "_writable",
        "connected",
        "disconnecting",
        "protocol",
    )

    def __init__(self, poller: Poller, sock: socket.socket, peer: IAddress) -> None:
        """
        @param sock: non-blocking; of a stream type.
        """
        self._poller = poller
        self._socket = sock
        self._recv = sock.recv
        self._send = sock.send
        self._peer = peer
        self._lost: Callable[[Failure], object] | None = None
        # Written in this turn; only while the buffer is empty.
        self._fresh = b""
        self._buffer = bytearray()
        self._producer: Any = None
        self._producer_paused = False
        self._pulls = False
        # The protocol wants to be told; there may be something; the peer has ended.
        self._reading = False
        self._unread = False
        self._read_ended = False
        # What we send shall end once the buffer is empty; and has ended.
        self._ending = False
        self._ended = False
        self._broken = False
        self._aborted = False
        # What comes in goes to another one unread; or what goes out comes from one.
        self._move: Move | None = None
        self._moved_from: EpollTransport | None = None
        # What is to be sent before the buffer: these bytes, then what is in there.
        self._head = b""
        self._pipe: Pipe | None = None
        # What is written is sent, for nothing has ended that; and there is nothing
        # else to be sent before it.
        self._writable = False
        self._clear = False
        # Somebody waits for the moment at which all is sent.
        self._watched = False
        self.connected = False
        self.disconnecting = False
        self.protocol: Any = None
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
        See L{brxy.poller.Served}.
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

    def _pending(self) -> bool:
        """
        Something waits to be sent.
        """
        return bool(self._fresh or self._buffer) or self._pipe is not None

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
        elif size == _SHORT:
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
        move.target._moveFrom(self)
        self._unread = True
        if self._reading:
            self._readAgain()

    def stopMoving(self) -> None:
        """
        What comes in is for the protocol again.  Does nothing if it is.
        """
        move, self._move = self._move, None
        if move is not None:
            move.target._moveFrom(None)
            if self._reading and self._unread:
                self._readAgain()

    def _moveFrom(self, source: EpollTransport | None) -> None:
        self._moved_from = source
        self._watch()

    def _moveMore(self, move: Move) -> None:
        """
        Move what can be moved in one turn.
        """
        for _ in range(_MOVES):
            if not self._reading or move.target._pending():
                self._unread = True
                return
            if not self._moveOnce(move):
                return
        self._readAgain()

    def _moveOn(self) -> None:
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
            # Out of descriptors: copying needs none.
            data = self._recv(min(move.limit(), _LONG))
            if data:
                move.target.write(move.head(len(data)) + data)
            return len(data)
        try:
            count = pipe.fill(self._socket.fileno(), move.limit())
        except OSError:
            pipes.give(pipe)
            raise
        if count:
            move.target._writePipe(pipe, move.head(count))
        else:
            pipes.give(pipe)
        return count

    def _writePipe(self, pipe: Pipe, head: bytes) -> None:
        if not self._writable:
            self._poller.pipes.give(pipe)
            return
        self._pipe = pipe
        self._head = head
        self._clear = False
        try:
            self._emptyPipe(pipe)
        except BlockingIOError:
            return
        except OSError:
            self._breakOff()

    def _emptyPipe(self, pipe: Pipe) -> bool:
        """
        @return: whether all of it is sent.
        """
        if self._head:
            sent = self._socket.send(self._head, socket.MSG_MORE)
            self._head = self._head[sent:]
            if self._head:
                return False
        pipe.empty(self._socket.fileno())
        if pipe.held:
            return False
        self._pipe = None
        self._poller.pipes.give(pipe)
        self._clear = not self._buffer
        return True

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

    def _flush(self) -> None:
        try:
            if self._pipe is not None and not self._emptyPipe(self._pipe):
                return
            if self._buffer:
                del self._buffer[: self._send(self._buffer)]
        except BlockingIOError:
            return
        except OSError:
            self._breakOff()
            return
        if not self._buffer:
            self._clear = True
            self._sent()

    def _sent(self) -> None:
        """
        Nothing is left to be sent.
        """
        if self._producer is not None and (self._pulls or self._producer_paused):
            self._producer_paused = False
            self._producer.resumeProducing()
        elif self.disconnecting:
            self._lose(_DONE)
        elif self._ending and not self._ended:
            self._endWriting()
        if self._moved_from is not None:
            self._moved_from._moveOn()

    def _endWriting(self) -> None:
        self._ended = True
        self._writable = self._clear = False
        # Where it is gone already, the next read tells.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is not None:
            protocol.writeConnectionLost()

    def settle(self) -> None:
        """
        See L{brxy.poller.Served}.
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
        elif not self._pending():
            self._sent()

    def failed(self, failure: Failure) -> None:
        """
        See L{brxy.poller.Served}.
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
        self._buffer.clear()
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

    def write(self, data: bytes) -> None:
        """
        Send bytes: at the end of the turn, or now if none is under way.
        """
        poller = self._poller
        if self._clear and poller.serving and len(data) <= _TOGETHER:
            self._clear = False
            # Of a bytearray, which may change until then, this is a copy.
            self._fresh += data
            poller.unsent.append(self)
        elif self._buffer or self._pipe is not None:
            self._buffer += data
            self._limitProducer()
        elif self._writable:
            self._fresh += data
            if not poller.serving or len(self._fresh) > _TOGETHER:
                self.send()

    def send(self) -> None:
        """
        See L{brxy.poller.Sender}.
        """
        data, self._fresh = self._fresh, b""
        if not data:
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._breakOff()
            return
        if sent < len(data):
            self._clear = False
            self._buffer += memoryview(data)[sent:]
            self._limitProducer()
            return
        self._clear = True
        if self._watched:
            self._poller.later(self)

    def _watch(self) -> None:
        self._watched = (
            self._moved_from is not None or self._pulls or self.disconnecting or self._ending
        )

    def _limitProducer(self) -> None:
        if self._producer is None or self._pulls or self._producer_paused:
            return
        if len(self._buffer) > _FULL:
            self._producer_paused = True
            self._producer.pauseProducing()

    def _breakOff(self) -> None:
        """
        The peer takes nothing more.
        """
        self._broken = True
        self._writeNoMore()

    def _writeNoMore(self) -> None:
        self._writable = self._clear = False
        self._fresh = b""
        self._buffer.clear()
        self._dropPipe()
        self._poller.later(self)

    def _dropPipe(self) -> None:
        if self._pipe is not None:
            self._poller.pipes.give(self._pipe)
            self._pipe = None

    def writeSequence(self, data: Any) -> None:
        """
        Send byte strings in their order.
        """
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """
        Close once everything is sent; nothing more is read.
        """
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._reading = False
            self._watch()
            self._poller.later(self)

    def loseWriteConnection(self) -> None:
        """
        Half-close once everything is sent.
        """
        if self.connected and not self._ending:
            self._ending = True
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

    def getPeer(self) -> Any:
        """
        @return: the other end.
        """
        return self._peer

    def getHost(self) -> Any:
        """
        @return: our end.
        """
        return addressOf(self._socket.family, self._socket.getsockname())

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

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        From now on tell this producer when there is room and when there is not.

        @raise RuntimeError: there is one.
        """
        if self._producer is not None:
            raise RuntimeError(f"cannot register {producer}: {self._producer} is registered")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._producer_paused = False
        self._pulls = not streaming
        self._watch()
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """
        The producer has nothing more.
        """
        self._producer = None
        self._pulls = False
        self._watch()
        if self.connected and (self.disconnecting or self._ending):
            self._poller.later(self)

    # The socket

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
        @return: are short writes sent at once?  No matter of Unix sockets.
        """
        if self._socket.family == socket.AF_UNIX:
            return False
        return bool(self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Send short writes at once, or not.
        """
        if self._socket.family != socket.AF_UNIX:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """
        @return: does the kernel look for links that were cut?
        """
        return bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        Have the kernel look for links that were cut, or not.
        """
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)
