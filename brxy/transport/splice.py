"""
Moving bytes from one socket to another within the kernel, by C{splice(2)}: they
pass through a pipe and are never copied into this process.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

__all__ = ["MovableStream", "Move", "Pipe", "Pipes", "Source", "Target"]

# Size of a pipe (bytes), if the kernel allows it; and so the most that is moved at once.
_SIZE = 256 * 1024

# Unused pipes that are kept open.
_IDLE = 16

_FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class Pipe:
    """
    A pipe through which bytes are moved.

    @ivar held: the number of bytes in it.
    """

    def __init__(self) -> None:
        """
        @raise OSError: there are no descriptors left.
        """
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Users other than root may not have many of this size.
        with suppress(OSError):
            fcntl.fcntl(self._writing, fcntl.F_SETPIPE_SZ, _SIZE)
        self.held = 0

    def fill(self, fd: int, count: int) -> int:
        """
        Take in at most C{count} bytes from a socket.

        @return: how many bytes came; 0 at the end.
        @raise OSError: as C{recv}.
        """
        moved = os.splice(fd, self._writing, min(count, _SIZE), flags=_FLAGS)
        self.held += moved
        return moved

    def empty(self, fd: int) -> None:
        """
        Pass on to a socket what is held: all of it, or as much as the socket takes.

        @raise OSError: as C{send}.
        """
        self.held -= os.splice(self._reading, fd, self.held, flags=_FLAGS)

    def close(self) -> None:
        """
        Close it, and discard what it holds.
        """
        os.close(self._reading)
        os.close(self._writing)


class Pipes:
    """
    The pipes of one process: those not in use, and the number of those that are.
    """

    #: Pipes in use at most: else peers that don't read would take all descriptors.
    MOST = 32

    def __init__(self) -> None:
        self._idle: list[Pipe] = []
        self._used = 0

    def take(self) -> Pipe:
        """
        Get a pipe for use.

        @raise OSError: no descriptors are left, or L{MOST} pipes are in use.
        """
        if self._used >= self.MOST:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        pipe = self._idle.pop() if self._idle else Pipe()
        self._used += 1
        return pipe

    def give(self, pipe: Pipe) -> None:
        """
        Return a pipe, and discard what it holds.
        """
        self._used -= 1
        if pipe.held or len(self._idle) >= _IDLE:
            pipe.close()
        else:
            self._idle.append(pipe)

    def close(self) -> None:
        """
        Close every unused pipe.
        """
        while self._idle:
            self._idle.pop().close()


class Source(Protocol):
    """
    A connection whose bytes are moved to another, as the other one needs it.
    """

    def moveOn(self) -> None:
        """
        The other connection has room again.
        """

    def stopMoving(self) -> None:
        """
        The other connection is gone: the bytes go to the protocol again.
        """


class Target(Protocol):
    """
    A connection that bytes are moved to.
    """

    def pending(self) -> bool:
        """
        @return: whether something waits to be sent.
        """

    def fits(self, size: int) -> bool:
        """
        @return: whether this many more bytes may be buffered.
        """

    def write(self, data: bytes) -> None:
        """
        Send bytes that could not be moved unread.
        """

    def takePipe(self, pipe: Pipe, head: bytes) -> None:
        """
        Send C{head}, and then what is in the pipe.
        """

    def moveFrom(self, source: Source | None) -> None:
        """
        Bytes are moved here from C{source}; L{None}: no longer.
        """


class MovableStream(Source, Target, Protocol):
    """
    A connection that bytes can be moved from and to.
    """

    def moveTo(self, move: Move) -> None:
        """
        Move what comes in to another connection, unread, from now on.
        """


class Move:
    """
    A number of bytes that go from one connection to another, unread.

    @ivar target: the connection that they go to.
    @ivar count: how many are still to come.
    @ivar whenMoved: called when the last of them is on its way.
    """

    def __init__(self, target: Target, count: int, whenMoved: Callable[[], object]) -> None:
        self.target = target
        self.count = count
        self.whenMoved = whenMoved

    def limit(self) -> int:
        """
        @return: how many bytes may be taken at once.
        """
        return self.count

    def head(self, count: int) -> bytes:
        """
        @return: what is sent before the next C{count} bytes.
        """
        return b""

    def goesOn(self, count: int) -> bool:
        """
        @param count: how many were moved now.
        @return: whether more bytes are to be moved.
        """
        return self.count > 0
