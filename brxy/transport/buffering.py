"""
The buffer of a connection: what is written to it and not sent yet, and the limits on that.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IAddress

from brxy.transport.poller import Poller
from brxy.transport.socketend import SocketEnd

__all__ = ["Buffering", "WriteBuffer"]

# A producer is paused when this much is buffered; at once if many connections are
# congested (L{Poller.isShort}).  A L{WriteBuffer} has limits of its own.
_FULL = 64 * 1024


class WriteBuffer:
    """
    The memory for what some connections have not sent yet.

    @ivar each: bytes for one connection.
    @ivar total: bytes for all together.
    @ivar size: the bytes of all together now.
    """

    def __init__(self, each: int, total: int) -> None:
        self.each = each
        self.total = total
        self.size = 0


class Buffering(SocketEnd):
    """
    The part of L{brxy.transport.stream.EpollTransport} that buffers what is written, and
    pauses the producer.
    """

    __slots__ = (
        "_behind",
        "_buffer",
        "_limits",
        "_poller",
        "_producer",
        "_producer_paused",
        "_pulls",
    )

    def __init__(self, poller: Poller, sock: socket.socket, peer: IAddress) -> None:
        """
        @param sock: non-blocking; of a stream type.
        """
        super().__init__(sock, peer)
        self._poller = poller
        self._buffer = bytearray()
        self._behind = False
        self._limits: WriteBuffer | None = None
        self._producer: Any = None
        self._producer_paused = False
        self._pulls = False

    def limitBuffer(self, limits: WriteBuffer) -> None:
        """
        Count the buffer as a part of this memory from now on.
        """
        self._limits = limits
        limits.size += len(self._buffer)

    def fits(self, size: int) -> bool:
        """
        Whether this many more bytes may be buffered.
        """
        limits = self._limits
        if limits is None:
            return False
        return len(self._buffer) + size <= limits.each and limits.size + size <= limits.total

    def _keep(self, data: bytes | memoryview) -> None:
        """
        Buffer bytes that the peer does not take yet.
        """
        if not self._behind:
            self._behind = True
            self._poller.behind += 1
        self._buffer += data
        if self._limits is not None:
            self._limits.size += len(data)
        self._limitProducer()

    def _drop(self, count: int) -> None:
        """
        The first bytes of the buffer are sent.
        """
        del self._buffer[:count]
        if self._limits is not None:
            self._limits.size -= count

    def _forget(self) -> None:
        """
        Empty the buffer.
        """
        if self._behind:
            self._behind = False
            self._poller.behind -= 1
        if self._limits is not None:
            self._limits.size -= len(self._buffer)
        # A new one, since an emptied bytearray keeps its memory.
        self._buffer = bytearray()

    def _limitProducer(self) -> None:
        size, limits = len(self._buffer), self._limits
        if limits is None:
            full = size > _FULL or (size > 0 and self._poller.isShort())
        else:
            full = size > limits.each or (size > 0 and limits.size > limits.total)
        if full:
            self._pauseProducer()

    def _pauseProducer(self) -> None:
        if self._producer is None or self._pulls or self._producer_paused:
            return
        self._producer_paused = True
        self._producer.pauseProducing()
