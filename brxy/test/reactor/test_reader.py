"""
Tests of L{brxy.reactor.reader}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from brxy.reactor.reader import Reader


class _Reader(Reader):
    """
    A reader of a number.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self.number = 7
        self.reads = 0

    def fileno(self) -> int:
        return self.number

    def doRead(self) -> None:
        self.reads += 1


class ReaderTests(SynchronousTestCase):
    """
    Tests of L{Reader}.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reader = _Reader(self.reactor)
        self.reactor.addReader(self.reader)

    def drop(self) -> None:
        """
        Do what the epoll reactor does on an event for a descriptor that was
        closed, and whose number is ours now.
        """
        self.reactor.removeReader(self.reader)
        self.reader.connectionLost(Failure(ConnectionLost()))

    def test_interface(self) -> None:
        """
        A reader is what a reactor reads.
        """
        verifyObject(IReadDescriptor, self.reader)
        self.assertEqual(self.reader.logPrefix(), "_Reader")

    def test_dropped(self) -> None:
        """
        One that the reactor has dropped comes back, and looks itself whether
        there is something to read.
        """
        self.drop()
        self.assertEqual((self.reactor.getReaders(), self.reader.reads), ([], 0))
        self.reactor.advance(0)
        self.assertEqual((self.reactor.getReaders(), self.reader.reads), ([self.reader], 1))

    def test_closed(self) -> None:
        """
        One that is closed does not, also when it was closed in between.
        """
        self.drop()
        self.reader.number = -1
        self.reactor.advance(0)
        self.assertEqual((self.reactor.getReaders(), self.reader.reads), ([], 0))

    def test_write(self) -> None:
        """
        An event to write is someone else's, and does nothing.
        """
        self.reader.doWrite()
        self.assertEqual(self.reactor.getReaders(), [self.reader])
