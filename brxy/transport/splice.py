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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brxy.transport.stream import EpollTransport

__all__ = ["Move", "Pipe", "Pipes"]

# What a pipe holds, if we may make it so large; and so what is moved at once.
_SIZE = 256 * 1024

# Pipes that are kept for the next one who moves bytes.
_IDLE = 16

_FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class Pipe:
    """
    A pipe through which bytes are moved.

    @ivar held: how many are in it.
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
        Take in at most so many bytes from a socket.

        @return: how many came; 0 at the end.
        @raise OSError: as C{recv}.
        """
        moved = os.splice(fd, self._writing, min(count, _SIZE), flags=_FLAGS)
        self.held += moved
        return moved

    def empty(self, fd: int) -> None:
        """
        Give what is held to a socket, all of it or as much as that takes.

        @raise OSError: as C{send}.
        """
        self.held -= os.splice(self._reading, fd, self.held, flags=_FLAGS)

    def close(self) -> None:
        """
        It is of no use any more, nor is what it holds.
        """
        os.close(self._reading)
        os.close(self._writing)


class Pipes:
    """
    Pipes that are not in use, and how many are.
    """

    #: Which may be so many: peers that don't read would take all descriptors.
    MOST = 32

    def __init__(self) -> None:
        self._idle: list[Pipe] = []
        self._used = 0

    def take(self) -> Pipe:
        """
        @raise OSError: there are no descriptors left, or so many are in use.
        """
        if self._used >= self.MOST:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        pipe = self._idle.pop() if self._idle else Pipe()
        self._used += 1
        return pipe

    def give(self, pipe: Pipe) -> None:
        """
        It is not needed any more, nor is what it holds.
        """
        self._used -= 1
        if pipe.held or len(self._idle) >= _IDLE:
            pipe.close()
        else:
            self._idle.append(pipe)

    def close(self) -> None:
        """
        Keep none.
        """
        while self._idle:
            self._idle.pop().close()


class Move:
    """
    That one connection's bytes go to another one: so many, as they are.

    @ivar target: the other one.
    @ivar count: how many are still to come.
    @ivar over: called when the last of them is on its way.
    """

    def __init__(self, target: EpollTransport, count: int, over: Callable[[], object]) -> None:
        self.target = target
        self.count = count
        self.over = over

    def limit(self) -> int:
        """
        @return: how many bytes may be taken at once.
        """
        return self.count

    def head(self, count: int) -> bytes:
        """
        @return: what goes before so many bytes.
        """
        return b""

    def goesOn(self, count: int) -> bool:
        """
        @param count: how many were moved now.
        @return: whether there are more to be moved.
        """
        return self.count > 0
