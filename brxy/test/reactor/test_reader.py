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
    A reader that produces a number.
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
        closed and whose number now belongs to this reader.
        """
        self.reactor.removeReader(self.reader)
        self.reader.connectionLost(Failure(ConnectionLost()))

    def test_interface(self) -> None:
        """
        A L{Reader} provides the interface of what a reactor reads.
        """
        verifyObject(IReadDescriptor, self.reader)
        self.assertEqual(self.reader.logPrefix(), "_Reader")

    def test_dropped(self) -> None:
        """
        A reader that the reactor has dropped registers itself again, and
        checks whether there is something to read.
        """
        self.drop()
        self.assertEqual((self.reactor.getReaders(), self.reader.reads), ([], 0))
        self.reactor.advance(0)
        self.assertEqual((self.reactor.getReaders(), self.reader.reads), ([self.reader], 1))

    def test_closed(self) -> None:
        """
        A reader that is closed does not, even if it was closed in between.
        """
        self.drop()
        self.reader.number = -1
        self.reactor.advance(0)
        self.assertEqual((self.reactor.getReaders(), self.reader.reads), ([], 0))

    def test_write(self) -> None:
        """
        A write event is meant for another descriptor, and is ignored.
        """
        self.reader.doWrite()
        self.assertEqual(self.reactor.getReaders(), [self.reader])
