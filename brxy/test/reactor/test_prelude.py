"""
Tests of L{brxy.reactor.prelude}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.prelude import Prelude, Preludes
from brxy.test.support.memory.network import TCP_ADDRESS


class _Line(Prelude):
    """
    A prelude of one line.
    """

    received = b""

    def read(self, data: bytes) -> None:
        self.received += data
        _, newline, rest = self.received.partition(b"\n")
        if newline:
            self.follow(rest)


class _Transport(StringTransport):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class _Recorder(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


class PreludeTests(SynchronousTestCase):
    """
    Tests of L{Prelude}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.preludes = Preludes(self.clock, 10.0)
        self.transport = _Transport()
        self.recorder = _Recorder()
        factory = Factory.forProtocol(lambda: self.recorder)
        self.prelude = _Line(self.preludes, factory, TCP_ADDRESS)
        self.prelude.makeConnection(self.transport)

    def test_follows(self) -> None:
        """
        What is behind a prelude, and all that happens then, is for the next protocol.
        """
        self.prelude.dataReceived(b"li")
        self.prelude.dataReceived(b"ne\nand")
        self.prelude.dataReceived(b" more")
        self.assertIs(self.recorder.transport, self.transport)
        self.assertEqual(self.recorder.received, b"and more")
        for _ in range(20):
            self.clock.advance(1)
        self.preludes.abort()
        self.assertFalse(self.transport.aborted)
        self.prelude.connectionLost()
        self.assertTrue(self.recorder.lost)

    def test_slow(self) -> None:
        """
        A prelude that is not complete in time is cut, also if bytes come.
        """
        for _ in range(14):
            self.prelude.dataReceived(b"x")
            self.clock.advance(1)
        self.assertTrue(self.transport.aborted)
        self.prelude.dataReceived(b"\n")
        self.assertIsNone(self.recorder.transport)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aborted(self) -> None:
        """
        All can be cut at once.
        """
        self.preludes.abort()
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """
        A connection that is gone leaves no timer.
        """
        self.prelude.connectionLost()
        for _ in range(20):
            self.clock.advance(1)
        self.assertFalse(self.transport.aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])
