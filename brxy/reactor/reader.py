"""
A file descriptor of our own among those that the reactor reads.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Reader"]


@implementer(IReadDescriptor)
class Reader:
    """
    Base of what reads a descriptor that is no connection.

    The epoll reactor takes a list of events from the kernel and then serves
    one after another by number.  When a descriptor is closed while such a list
    is served, and its number is given to a new one, the new one gets the old
    one's event: to write, or that it was hung up on.  Connections live with
    that; here it must not end the reading.

    @param reactor: an C{IReactorFDSet} and C{IReactorTime}.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def fileno(self) -> int:
        """
        The descriptor, or -1 when it is not to be read any more.
        """
        raise NotImplementedError

    def doRead(self) -> None:
        """
        There may be something to read.
        """
        raise NotImplementedError

    def logPrefix(self) -> str:
        """
        See L{IReadDescriptor}.
        """
        return type(self).__name__

    def doWrite(self) -> None:
        """
        An event for someone else.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor has dropped us, for an event that may be someone else's:
        have a look ourselves, and go on.
        """
        self._reactor.callLater(0, self._again)

    def _again(self) -> None:
        if self.fileno() >= 0:
            self._reactor.addReader(self)
            self.doRead()
