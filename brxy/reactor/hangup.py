"""
Detects that a peer hung up while nothing is read from it.

A paused transport sees neither FIN nor RST.  Here an epoll object, which the reactor watches
as one reader, gets these events alone from the kernel.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.logger import Logger

from brxy.reactor.reader import Reader

__all__ = ["HangupWatcher"]


class HangupWatcher(Reader):
    """
    Watches any number of file descriptors for a hang-up.

    @param reactor: an C{IReactorFDSet}.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._epoll: select.epoll | None = None
        self._watched: dict[int, Callable[[bool], None]] = {}

    def watch(self, fd: int, hungUp: Callable[[bool], None]) -> None:
        """
        Call C{hungUp} once when the peer of C{fd} hangs up: with L{True} if the connection
        is broken, with L{False} if the peer has half-closed.  Bytes that it sent before
        may still be unread.
        """
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.addReader(self)
        if fd not in self._watched:
            self._epoll.register(fd, select.EPOLLRDHUP | select.EPOLLONESHOT)
        self._watched[fd] = hungUp

    def unwatch(self, fd: int) -> None:
        """
        Stop watching C{fd}, which may be closed already.  Does nothing if it is not
        watched.
        """
        if self._watched.pop(fd, None) is not None and self._epoll is not None:
            # The kernel has removed a descriptor that is closed.
            with suppress(OSError):
                self._epoll.unregister(fd)

    def stop(self) -> None:
        """
        Stop watching all descriptors.
        """
        if self._epoll is not None:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None
        self._watched.clear()

    def fileno(self) -> int:
        """
        See L{twisted.internet.interfaces.IReadDescriptor}.
        """
        return -1 if self._epoll is None else self._epoll.fileno()

    def doRead(self) -> None:
        """
        Report the hang-ups.
        """
        assert self._epoll is not None
        for fd, events in self._epoll.poll(0):
            hungUp = self._watched.get(fd)
            if hungUp is None:
                continue
            self.unwatch(fd)
            try:
                # EPOLLHUP only means that both directions have ended.
                hungUp(bool(events & select.EPOLLERR))
            except Exception:
                self._log.failure("while reporting a hang-up")
