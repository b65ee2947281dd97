"""
Pipes to and from a child: its output as lines, and its input.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from select import select
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.fdesc import writeToFD
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

from brxy.reactor.reader import Reader

__all__ = ["MAX_LINE", "LineReader", "LineSplitter", "PipeWriter"]

#: A longer line comes in pieces of this number of bytes, so that the output of an app
#: takes bounded memory.
MAX_LINE = 8 * 1024

# The capacity of a pipe by default, see pipe(7): one read takes all that was written
# before.
_PIPE_SIZE = 64 * 1024


class LineSplitter:
    """
    Splits bytes into lines, in bounded memory.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """
        @return: the lines that are complete now, without their ends; lines that are too
            long come in pieces of L{MAX_LINE} bytes.
        """
        *whole, rest = (self._rest + data).split(b"\n")
        lines: list[bytes] = []
        for line in whole:
            while len(line) > MAX_LINE:
                lines.append(line[:MAX_LINE])
                line = line[MAX_LINE:]
            lines.append(line.removesuffix(b"\r"))
        while len(rest) > MAX_LINE:
            lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._rest = rest
        return lines

    def progress(self) -> bytes:
        r"""
        @return: the line that has no end yet, if it has a C{\r}: what is written on a terminal
            after it takes the place of what was before it.  Otherwise nothing.
        """
        return self._rest if b"\r" in self._rest else b""

    def finish(self) -> list[bytes]:
        """
        @return: the last line, if it has no end.
        """
        rest, self._rest = self._rest, b""
        return [rest.removesuffix(b"\r")] if rest else []


class EndReader(Reader):
    """
    Reports the end of a pipe whose contents don't matter.  The pipe stays in blocking
    mode, because a terminal is the same file for input and output.
    """

    def __init__(self, reactor: Any, descriptor: int, ended: Callable[[], None]) -> None:
        super().__init__(reactor)
        self._descriptor = descriptor
        self._ended = ended
        reactor.addReader(self)

    def fileno(self) -> int:
        """
        See L{twisted.internet.interfaces.IReadDescriptor}.
        """
        return self._descriptor

    def doRead(self) -> None:
        """
        Check whether the pipe has ended.
        """
        if select([self._descriptor], [], [], 0)[0] and not os.read(self._descriptor, _PIPE_SIZE):
            self._reactor.removeReader(self)
            self._descriptor = -1
            self._ended()


class LineReader(Reader):
    """
    Reads one pipe to its end and delivers it line by line.

    @param descriptor: the reading end of the pipe, which this closes.
    @param progress: called with each line that is written over and has no end yet, see
        L{LineSplitter.progress}, as far as it goes.
    """

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        deliver: Callable[[bytes], None],
        progress: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(reactor)
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._deliver = deliver
        self._progress = progress
        self._lines = LineSplitter()
        self._open = True
        reactor.addReader(self)

    def fileno(self) -> int:
        """
        See L{twisted.internet.interfaces.IReadDescriptor}.
        """
        return self._descriptor if self._open else -1

    def doRead(self) -> None:
        """
        Deliver what can be read now.
        """
        try:
            data = os.read(self._descriptor, _PIPE_SIZE)
        except BlockingIOError:
            return
        for line in self._lines.feed(data):
            self._deliver(line)
        if not data:
            self.close()
        elif self._progress is not None and (line := self._lines.progress()):
            self._progress(line)

    def drain(self) -> None:
        """
        Deliver what was written up to now, if the pipe is still open.
        """
        if self._open:
            self.doRead()

    def close(self) -> None:
        """
        Deliver the line that has no end yet, and close the pipe.
        """
        if not self._open:
            return
        self._reactor.removeReader(self)
        self._open = False
        os.close(self._descriptor)
        for line in self._lines.finish():
            self._deliver(line)


class PipeWriter(FileDescriptor):
    """
    Writes into a pipe as fast as it is read.  C{loseConnection} closes the pipe after all
    was written.

    @param descriptor: the writing end of the pipe, which this closes.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        super().__init__(reactor)
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self.connected = 1

    def fileno(self) -> int:
        """
        See L{twisted.internet.interfaces.IWriteDescriptor}.
        """
        return self._descriptor

    def writeSomeData(self, data: bytes) -> int | Exception:
        """
        See L{FileDescriptor}.
        """
        written: int | Exception = writeToFD(self._descriptor, data)
        return written

    def connectionLost(self, reason: Failure) -> None:
        """
        All was written, or the other end was closed.
        """
        super().connectionLost(reason)
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1

    def abandon(self) -> None:
        """
        Close the pipe now, because its reader is gone.
        """
        if self.connected:
            self.stopWriting()
            self.connectionLost(Failure(CONNECTION_LOST))
