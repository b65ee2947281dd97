"""
Serves many descriptors with an epoll object of its own, which the reactor watches as one
reader.
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

# Above this many connections with bytes that their peers do not take, reads and buffers
# are kept small.
_CROWD = 16

# At most this many events are fetched at once, and for at most this long (seconds) they are
# served before the reactor's timers and its other descriptors get their turn.  Half of that
# time would cost more processor time under load: see
# C{doc/decisions/transport.rst}.
_BATCH = 64
_TURN = 0.002


class Served(Protocol):
    """
    The owner of a descriptor that a L{Poller} serves.
    """

    def happened(self, events: int) -> None:
        """
        Something happened on the descriptor.

        @param events: which events: C{select.EPOLL*}.
        """

    def settle(self) -> None:
        """
        The turn that L{Poller.later} has arranged.
        """

    def failed(self, failure: Failure) -> None:
        """
        One of these methods raised an exception.
        """


class Sender(Served, Protocol):
    """
    The owner of a descriptor that also sends at the end of a turn.
    """

    def send(self) -> None:
        """
        The turn is over in which this sender was added to L{Poller.unsent}.
        """


class Poller(Reader):
    """
    Serves descriptors with an epoll object, which exists while there are any.

    @param reactor: an C{IReactorFDSet} and C{IReactorTime}.
    @ivar serving: a turn is under way.
    @ivar unsent: the senders that have something to send at its end.
    @ivar pipes: for moving bytes without reading them.
    @ivar behind: the number of connections with bytes that the peer does not take yet.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._epoll: select.epoll | None = None
        self._served: dict[int, Served] = {}
        # Events not served yet in this turn, by descriptor, the last first.  A descriptor
        # that is removed meanwhile is taken out: its number may be in use again by then.
        self._happened: dict[int, int] = {}
        # Always readable.  Enabled, it brings the reactor back for events that are left.
        self._bell = -1
        self._later: dict[Served, None] = {}
        self.serving = False
        self.unsent: list[Sender] = []
        self._scheduled = False
        self.pipes = Pipes()
        self.behind = 0

    def isShort(self) -> bool:
        """
        Whether many connections are congested, and reads and buffers must be
        kept small.
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
        Report again what is true of a descriptor now, even if nothing new happens.
        """
        assert self._epoll is not None
        self._epoll.modify(fd, events)

    def replace(self, fd: int, served: Served) -> None:
        """
        A descriptor has another owner from now on.
        """
        self._served[fd] = served

    def remove(self, fd: int) -> None:
        """
        Stop serving a descriptor.  Does nothing if it is not served.
        """
        if self._served.pop(fd, None) is not None and self._epoll is not None:
            self._happened.pop(fd, None)
            self._epoll.unregister(fd)
            self._stopIfIdle()

    def unwatch(self, fd: int) -> None:
        """
        A descriptor will be closed, but its file stays open elsewhere: have the kernel forget
        it.
        """
        if self._epoll is not None:
            self._epoll.unregister(fd)

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
        Call C{served.settle()} soon, when none of its methods is running.  Several
        requests before that make one call.
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
        Serve the descriptors on which something happened.
        """
        until = monotonic() + _TURN
        while self._epoll is not None:
            if not self._happened:
                self._happened = dict(reversed(self._epoll.poll(0, _BATCH)))
            # After so few events, another poll mostly finds none.
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
            # The bell has no owner.
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
            # The other descriptors must still be served: their events are not reported
            # again.
            self._log.failure("a failure that followed another")
