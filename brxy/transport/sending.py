"""
Sending on a connection: bytes that are written, and bytes that are moved to it from
another connection, unread.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.python.failure import Failure

from brxy.transport.buffering import Buffering
from brxy.transport.poller import Poller
from brxy.transport.splice import Pipe, Source

__all__ = ["Sending"]

# At most this many bytes are collected for the end of the turn.  To copy more together
# would cost more than it saves.
_TOGETHER = 16 * 1024

_DONE = Failure(ConnectionDone())


class Sending(Buffering):
    """
    The part of L{brxy.transport.stream.EpollTransport} that sends.

    What is written while the poller serves its connections is sent at the end of that
    turn, together with what all other connections send.  So several writes become one
    C{send}, and the processes that these bytes wake up run while the next ones are made.

    @ivar connected: there is a connection.
    @ivar disconnecting: C{loseConnection} was called.
    @ivar protocol: what the connection belongs to.
    """

    __slots__ = (
        "_broken",
        "_clear",
        "_ended",
        "_ending",
        "_fresh",
        "_head",
        "_moved_from",
        "_pipe",
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
        super().__init__(poller, sock, peer)
        self._send = sock.send
        # Bytes written in this turn; only used while the buffer is empty.
        self._fresh = b""
        # Sent before the buffer: these bytes, then the content of the pipe.
        self._head = b""
        self._pipe: Pipe | None = None
        # The connection that moves bytes here.
        self._moved_from: Source | None = None
        # Our direction is to be shut when all is sent; it is shut.
        self._ending = False
        self._ended = False
        # Sending has failed: the peer takes nothing more.
        self._broken = False
        # Writes are accepted; nothing is buffered before them.
        self._writable = False
        self._clear = False
        # Something is to happen when all is sent.
        self._watched = False
        self.connected = False
        self.disconnecting = False
        self.protocol: Any = None

    # What the other parts do

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
        Send bytes: at the end of the turn, or at once if the poller serves nothing.
        """
        poller = self._poller
        if self._clear and poller.serving and len(data) <= _TOGETHER:
            self._clear = False
            # A bytearray, which may change until then, is copied here.
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

    def pending(self) -> bool:
        """
        Whether something waits to be sent.
        """
        return bool(self._fresh or self._buffer) or self._pipe is not None

    def _flush(self) -> None:
        try:
            if self._pipe is not None and not self._emptyPipe(self._pipe):
                return
            if self._buffer:
                self._drop(self._send(self._buffer))
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
        Everything is sent.
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
        # If the connection is gone already, the next read reports it.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        protocol = IHalfCloseableProtocol(self.protocol, None)
        if protocol is not None:
            protocol.writeConnectionLost()

    def loseWriteConnection(self) -> None:
        """
        Half-close when everything is sent.
        """
        if self.connected and not self._ending:
            self._ending = True
            self._watch()
            self._poller.later(self)

    def _breakOff(self) -> None:
        """
        Sending has failed.
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
        Send C{head}, and then what is in the pipe.  Nothing else may be pending.
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
        @return: whether all that it held is sent.
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

    def pauseIfBehind(self) -> None:
        """
        Pause the producer until all is sent, if the peer does not take it at once.
        """
        if self._behind or self._pipe is not None:
            self._pauseProducer()

    def moveFrom(self, source: Source | None) -> None:
        """
        See L{brxy.transport.splice.Target}.
        """
        self._moved_from = source
        self._watch()

    def _watch(self) -> None:
        self._watched = (
            self._moved_from is not None or self._pulls or self.disconnecting or self._ending
        )

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Pause this producer while the buffer is full, and resume it when it is empty.

        @raise RuntimeError: another producer is registered.
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
        The producer has finished.
        """
        self._producer = None
        self._pulls = False
        self._watch()
        if self.connected and (self.disconnecting or self._ending):
            self._poller.later(self)
