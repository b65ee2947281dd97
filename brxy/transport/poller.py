"""
Descriptors served by an epoll object of our own, which the reactor watches as
one reader.
"""

from __future__ import annotations

import os
import select
from time import monotonic
from typing import Any, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.reactor.reader import Reader
from brxy.transport.splice import Pipes

__all__ = ["Poller", "Served"]

# So many may have something that their peers don't take yet, before it is minded how
# much that is.
_CROWD = 16

# Of so many connections it is asked at once what happened, and for so long (seconds)
# they are served before the reactor's timers and its other descriptors get their turn.
# Half of that time would cost more of the processor under load, see doc/decisions/transport.rst.
_BATCH = 64
_TURN = 0.002


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
        One of the others raised an exception.
        """


class Sender(Served, Protocol):
    """
    ... and that sends something.
    """

    def send(self) -> None:
        """
        The turn is over in which it put itself into L{Poller.unsent}.
        """


class Poller(Reader):
    """
    Serves descriptors by an epoll object of its own, as long as there are any.

    @param reactor: an C{IReactorFDSet} and C{IReactorTime}.
    @ivar serving: a turn is under way.
    @ivar unsent: who has something to send at the end of it.
    @ivar pipes: for moving bytes without reading them.
    @ivar behind: on how many connections there is something to be sent that the peer
        does not take yet.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._epoll: select.epoll | None = None
        self._served: dict[int, Served] = {}
        # Who is not served yet in this turn, the last first.  Who is removed meanwhile
        # is taken out: the number of a descriptor may be somebody else's by then.
        self._happened: dict[int, int] = {}
        # Always readable: by it the reactor comes back for those who are left over.
        self._bell = -1
        self._later: dict[Served, None] = {}
        self.serving = False
        self.unsent: list[Sender] = []
        self._scheduled = False
        self.pipes = Pipes()
        self.behind = 0

    def isShort(self) -> bool:
        """
        Whether little should be read at once, and nothing for those who don't take
        what is there: there are too many of them.
        """
        return self.behind > _CROWD

    def add(self, fd: int, served: Served, events: int) -> None:
        """
        Serve a descriptor from now on.
        """
        if self._epoll is None:
            epoll = select.epoll()
            self._bell = os.eventfd(1)
            epoll.register(self._bell, 0)
            self._epoll = epoll
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
            self._happened.pop(fd, None)
            self._epoll.unregister(fd)
            self._stopIfIdle()

    def closed(self, fd: int) -> None:
        """
        A descriptor was closed: the kernel has forgotten it by itself.
        """
        del self._served[fd]
        self._happened.pop(fd, None)
        self._stopIfIdle()

    def _stopIfIdle(self) -> None:
        if not self._served and self._epoll is not None:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None
            os.close(self._bell)
            self._happened.clear()
            self.pipes.close()

    def later(self, served: Served) -> None:
        """
        Call C{served.settle()} soon, when nothing of it is being called; once,
        however often this is asked for before that.
        """
        self._later[served] = None
        if not self.serving and not self._scheduled:
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
        until = monotonic() + _TURN
        while self._epoll is not None:
            if not self._happened:
                self._happened = dict(reversed(self._epoll.poll(0, _BATCH)))
            # Where there is so little, looking again finds nothing mostly.
            few = len(self._happened) < 2
            self._serve(until)
            if few or monotonic() > until:
                break
        if self._happened and self._epoll is not None:
            self._epoll.modify(self._bell, select.EPOLLIN | select.EPOLLONESHOT)

    def _serve(self, until: float) -> None:
        happened = self._happened
        self.serving = True
        while happened:
            fd, events = happened.popitem()
            # The bell is nobody's.
            served = self._served.get(fd)
            if served is not None:
                try:
                    served.happened(events)
                except Exception:
                    self._fail(served)
            if monotonic() > until:
                break
        self.serving = False
        unsent, self.unsent = self.unsent, []
        for sender in unsent:
            try:
                sender.send()
            except Exception:
                self._fail(sender)
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
