"""
What a transport sends: bytes that are written, and bytes that are moved here
unread from another connection.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.python.failure import Failure

from brxy.transport.poller import Poller
from brxy.transport.socketend import SocketEnd
from brxy.transport.splice import Pipe, Source

__all__ = ["Sending"]

# So many bytes are kept for the end of the turn: more would be copied together
# for nothing.
_TOGETHER = 16 * 1024
# A producer is told to pause when so much could not be sent; at once when there are
# many others of that kind.
_FULL = 64 * 1024

_DONE = Failure(ConnectionDone())


class Sending(SocketEnd):
    """
    The half of L{brxy.transport.stream.EpollTransport} that sends.

    What is written while the poller serves its connections is sent at the end of
    that turn, with what all others have to send: whoever it wakes up is then
    busy for the next of it, and what is written piece by piece goes in one.

    @ivar connected: there is a connection.
    @ivar disconnecting: C{loseConnection} was called.
    @ivar protocol: whose it is.
    """

    __slots__ = (
        "_behind",
        "_broken",
        "_buffer",
        "_clear",
        "_ended",
        "_ending",
        "_fresh",
        "_head",
        "_moved_from",
        "_pipe",
        "_poller",
        "_producer",
        "_producer_paused",
        "_pulls",
        "_send",
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
        super().__init__(sock, peer)
        self._poller = poller
        self._send = sock.send
        # Written in this turn; only while the buffer is empty.
        self._fresh = b""
        self._buffer = bytearray()
        self._behind = False
        # What is to be sent before the buffer: these bytes, then what is in there.
        self._head = b""
        self._pipe: Pipe | None = None
        # Where that comes from.
        self._moved_from: Source | None = None
        self._producer: Any = None
        self._producer_paused = False
        self._pulls = False
        # What we send shall end once the buffer is empty; and has ended.
        self._ending = False
        self._ended = False
        # The peer takes nothing more.
        self._broken = False
        # What is written is sent, for nothing has ended that; and there is nothing
        # else to be sent before it.
        self._writable = False
        self._clear = False
        # Somebody waits for the moment at which all is sent.
        self._watched = False
        self.connected = False
        self.disconnecting = False
        self.protocol: Any = None

    # What the other half does

    def happened(self, events: int) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        raise NotImplementedError

    def failed(self, failure: Failure) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        raise NotImplementedError

    def _lose(self, reason: Failure) -> None:
        """
        The connection is over.
        """
        raise NotImplementedError

    # Writing

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
            self._keep(data)
        elif self._writable:
            self._fresh += data
            if not poller.serving or len(self._fresh) > _TOGETHER:
                self.send()

    def send(self) -> None:
        """
        See L{brxy.transport.poller.Sender}.
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
            self._keep(memoryview(data)[sent:])
            return
        self._clear = True
        if self._watched:
            self._poller.later(self)

    def writeSequence(self, data: Any) -> None:
        """
        Send byte strings in their order.
        """
        self.write(b"".join(data))

    def _keep(self, data: bytes | memoryview) -> None:
        """
        Keep what the peer does not take yet.
        """
        if not self._behind:
            self._behind = True
            self._poller.behind += 1
        self._buffer += data
        self._limitProducer()

    def _forget(self) -> None:
        """
        Nothing is kept.
        """
        if self._behind:
            self._behind = False
            self._poller.behind -= 1
        # A new one: an empty one keeps the memory it had.
        self._buffer = bytearray()

    def _limitProducer(self) -> None:
        if self._producer is None or self._pulls or self._producer_paused:
            return
        if len(self._buffer) > _FULL or (self._buffer and self._poller.isShort()):
            self._producer_paused = True
            self._producer.pauseProducing()

    def pending(self) -> bool:
        """
        Something waits to be sent.
        """
        return bool(self._fresh or self._buffer) or self._pipe is not None

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
            self._forget()
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
            self._moved_from.moveOn()

    def _endWriting(self) -> None:
        self._ended = True
        self._writable = self._clear = False
        # Where it is gone already, the next read tells.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is not None:
            protocol.writeConnectionLost()

    def loseWriteConnection(self) -> None:
        """
        Half-close once everything is sent.
        """
        if self.connected and not self._ending:
            self._ending = True
            self._watch()
            self._poller.later(self)

    def _breakOff(self) -> None:
        """
        The peer takes nothing more.
        """
        self._broken = True
        self._writeNoMore()

    def _writeNoMore(self) -> None:
        self._writable = self._clear = False
        self._fresh = b""
        self._forget()
        self._dropPipe()
        self._poller.later(self)

    def takePipe(self, pipe: Pipe, head: bytes) -> None:
        """
        Send what is in a pipe, and these bytes before it.  There must be nothing
        else to be sent.
        """
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

    def _dropPipe(self) -> None:
        if self._pipe is not None:
            self._poller.pipes.give(self._pipe)
            self._pipe = None

    def moveFrom(self, source: Source | None) -> None:
        """
        From now on this one's bytes are moved here, or none's.
        """
        self._moved_from = source
        self._watch()

    def _watch(self) -> None:
        self._watched = (
            self._moved_from is not None or self._pulls or self.disconnecting or self._ending
        )

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
