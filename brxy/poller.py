"""
Descriptors served by an epoll object of our own, which the reactor watches as
one reader.
"""

from __future__ import annotations

import select
from typing import Any, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.descriptor import Reader
from brxy.splice import Pipes

__all__ = ["Poller", "Served"]

# Connections that are served before the reactor's timers and its other
# descriptors get their turn.
_BATCH = 64


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
    @ivar pipes: for moving bytes without reading them.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._epoll: select.epoll | None = None
        self._served: dict[int, Served] = {}
        self._later: dict[Served, None] = {}
        self._serving = False
        self._scheduled = False
        self.pipes = Pipes()

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
            self.pipes.close()

    def later(self, served: Served) -> None:
        """
        Call C{served.settle()} soon, when nothing of it is being called; once,
        however often this is asked for before that.
        """
        self._later[served] = None
        if not self._serving and not self._scheduled:
            self._scheduled = True
            self._reactor.callLater(0, self._settleScheduled)

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
                        self._fail(served)
        finally:
            self._serving = False
        if self._later:
            self._settle()

    def _settleScheduled(self) -> None:
        self._scheduled = False
        self._settle()

    def _settle(self) -> None:
        later, self._later = self._later, {}
        for served in later:
            try:
                served.settle()
            except Exception:
                self._fail(served)

    def _fail(self, served: Served) -> None:
        try:
            served.failed(Failure())
        except Exception:
            # The others have been told only this once of what happened on them.
            self._log.failure("a failure that followed another")
