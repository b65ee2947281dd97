"""
A base for objects that have the reactor watch a descriptor of theirs.
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
    Base of readers whose descriptor is not a connection.

    The epoll reactor fetches a list of events from the kernel, and serves one after the
    other by descriptor number.  If a descriptor is closed meanwhile and a new one gets its
    number, the new one gets the old one's event: that it can write, or a hang-up.
    Connections tolerate that; a reader must not stop because of it.

    @param reactor: an C{IReactorFDSet} and C{IReactorTime}.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def fileno(self) -> int:
        """
        @return: the descriptor, or -1 if it is not to be read any more.
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
        An event of another descriptor: ignored.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor has removed this reader, perhaps for an event of another descriptor:
        register it again.
        """
        self._reactor.callLater(0, self._again)

    def _again(self) -> None:
        if self.fileno() >= 0:
            self._reactor.addReader(self)
            self.doRead()
