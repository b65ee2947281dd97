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
from typing import Any, Protocol, cast

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

from brxy.descriptor import Reader

__all__ = ["EVERYTHING", "EpollTransport", "Poller", "Served", "addressOf"]

# What a connection is registered for, once for its life.
EVERYTHING = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
# Events after which a read tells of an end or an error, maybe behind some bytes.
_ENDING = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_READABLE = select.EPOLLIN | _ENDING

# Connections that are served before the reactor's timers and its other
# descriptors get their turn.
_BATCH = 64

# Most messages are short; memory for a long one costs more than it is worth
# before it is known that there is one.
_SHORT = 16 * 1024
# What is read at most from one connection before the others get their turn.
_LONG = 256 * 1024

# A producer is told to pause when so much could not be sent.
_FULL = 64 * 1024

_DONE = Failure(ConnectionDone())
_LOST = Failure(ConnectionLost())
_ABORTED = Failure(ConnectionAborted())

# l_onoff and l_linger of socket(7): closing sends a reset.
_RESET = struct.pack("ii", 1, 0)


class Served(Protocol):
    """
    What a L{Poller} serves.
    """

    def happened(self, events: int) -> None:
        """
        Something happened on the descriptor; C{select.EPOLL*}.
        """

    def settle(self) -> None:
        """
        It asked for a turn of its own by L{Poller.later}.
        """

    def failed(self, failure: Failure) -> None:
        """
        One of the other two raised an exception.
        """


class Poller(Reader):
    """
    Serves descriptors by an epoll object of its own, as long as there are any.

    @param reactor: an C{IReactorFDSet} and C{IReactorTime}.
    @ivar buffer: for long reads; nobody keeps anything in it.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._epoll: select.epoll | None = None
        self._served: dict[int, Served] = {}
        self._later: list[Served] = []
        self._serving = False
        self.buffer = memoryview(bytearray(_LONG))

    def add(self, fd: int, served: Served, events: int) -> None:
        """
        Serve a descriptor from now on.
        """
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.addReader(self)
        self._epoll.register(fd, events)
        self._served[fd] = served

    def again(self, fd: int, events: int) -> None:
        """
        Tell again of whatever stands, even if nothing new happens.
        """
        assert self._epoll is not None
        self._epoll.modify(fd, events)

    def replace(self, fd: int, served: Served) -> None:
        """
        A descriptor is someone else's from now on.
        """
        self._served[fd] = served

    def remove(self, fd: int) -> None:
        """
        Serve a descriptor no more.  Does nothing for one that is not served.
        """
        if self._served.pop(fd, None) is not None and self._epoll is not None:
            self._epoll.unregister(fd)
            self._stopIfIdle()

    def closed(self, fd: int) -> None:
        """
        A descriptor was closed: the kernel has forgotten it by itself.
        """
        del self._served[fd]
        self._stopIfIdle()

    def _stopIfIdle(self) -> None:
        if not self._served and self._epoll is not None:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None

    def later(self, served: Served) -> None:
        """
        Call C{served.settle()} soon, when nothing of it is being called.
        """
        self._later.append(served)
        if not self._serving and len(self._later) == 1:
            self._reactor.callLater(0, self._settle)

    def fileno(self) -> int:
        """
        See L{twisted.internet.interfaces.IReadDescriptor}.
        """
        return -1 if self._epoll is None else self._epoll.fileno()

    def doRead(self) -> None:
        """
        Serve those on whom something happened.
        """
        assert self._epoll is not None
        self._serving = True
        try:
            find = self._served.get
            for fd, events in self._epoll.poll(0, _BATCH):
                # One may be closed by what another one does.
                served = find(fd)
                if served is not None:
                    try:
                        served.happened(events)
                    except Exception:
                        served.failed(Failure())
        finally:
            self._serving = False
        if self._later:
            self._settle()

    def _settle(self) -> None:
        later, self._later = self._later, []
        for served in later:
            try:
                served.settle()
            except Exception:
                served.failed(Failure())


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

    @ivar connected: there is a connection.
    @ivar disconnecting: C{loseConnection} was called.
    @ivar protocol: who gets what comes in.
    """

    _log = Logger()

    __slots__ = (
        "_aborted",
        "_broken",
        "_buffer",
        "_deliver",
        "_ended",
        "_ending",
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
        "_socket",
        "_unread",
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
        self.connected = True
        self._reading = True
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
        See L{Served}.
        """
        if events & _READABLE:
            if self._reading:
                self._read(events & _ENDING)
            else:
                self._unread = True
                if self._read_ended and events & select.EPOLLERR:
                    self._lose(_LOST)
        if self._buffer:
            self._flush()

    def _read(self, ending: int) -> None:
        try:
            data = self._recv(_SHORT)
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
        if ending or len(data) == _SHORT:
            self._readMore()

    def _readMore(self) -> None:
        if not self._reading:
            self._unread = True
            return
        buffer = self._poller.buffer
        try:
            count = self._socket.recv_into(buffer)
        except BlockingIOError:
            return
        except OSError:
            self._lose(_LOST)
            return
        if not count:
            self._readEnd()
            return
        self._deliver(bytes(buffer[:count]))
        self._unread = True
        if self._reading:
            self._readAgain()

    def _readAgain(self) -> None:
        self._unread = False
        self._poller.again(self._socket.fileno(), EVERYTHING)

    def _readEnd(self) -> None:
        self._reading = False
        self._read_ended = True
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is None:
            self._lose(_DONE)
        else:
            protocol.readConnectionLost()

    def _flush(self) -> None:
        try:
            sent = self._send(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            self._breakOff()
            return
        del self._buffer[:sent]
        if not self._buffer:
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

    def _endWriting(self) -> None:
        self._ended = True
        # Where it is gone already, the next read tells.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is not None:
            protocol.writeConnectionLost()

    def settle(self) -> None:
        """
        See L{Served}.
        """
        if not self.connected:
            return
        if self._aborted:
            self._lose(_ABORTED)
        elif self._broken:
            # What came before that is still good.
            if self._reading:
                self._read(_ENDING)
            if self.connected:
                self._lose(_LOST)
        elif not self._buffer:
            self._sent()

    def failed(self, failure: Failure) -> None:
        """
        See L{Served}.
        """
        self._log.failure("a protocol failed, and loses its connection", failure)
        self._lose(failure)

    def _lose(self, reason: Failure) -> None:
        if not self.connected:
            return
        self.connected = self._reading = False
        self._buffer.clear()
        fd = self._socket.fileno()
        if self._aborted:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.close()
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
        Send bytes, now if the socket takes them.
        """
        if not self.connected or self._ended or self._broken or self._aborted:
            return
        if self._buffer:
            self._buffer += data
            self._limitProducer()
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._breakOff()
            return
        if sent < len(data):
            self._buffer += memoryview(data)[sent:]
            self._limitProducer()
        elif self._pulls:
            self._poller.later(self)

    def _limitProducer(self) -> None:
        if len(self._buffer) > _FULL and self._producer is not None and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()

    def _breakOff(self) -> None:
        """
        The peer takes nothing more.
        """
        self._broken = True
        self._buffer.clear()
        self._poller.later(self)

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
            self._poller.later(self)

    def loseWriteConnection(self) -> None:
        """
        Half-close once everything is sent.
        """
        if self.connected and not self._ending:
            self._ending = True
            self._poller.later(self)

    def abortConnection(self) -> None:
        """
        Close at once, by a reset.
        """
        if self.connected and not self._aborted:
            self._aborted = self.disconnecting = True
            self._reading = False
            self._buffer.clear()
            self._poller.later(self)

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
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """
        The producer has nothing more.
        """
        self._producer = None
        self._pulls = False
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
        @return: are short writes sent at once?
        """
        return bool(self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Send short writes at once, or not.
        """
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
