"""
Tests for L{brxy.reactor.pacedfactory}.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import call
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.pacedfactory import PacedFactory
from brxy.reactor.turns import TurnQueue
from brxy.test.support.memory.clocks import Turns


class PacedTests(SynchronousTestCase):
    """
    Tests for L{PacedFactory}.
    """

    def setUp(self) -> None:
        self.clock = Turns()
        self.turns: TurnQueue[Callable[[], object]] = TurnQueue(self.clock, call)
        self.told: list[object] = []
        told = self.told

        class Telling(Protocol):
            def dataReceived(self, data: bytes) -> None:
                told.append(data)

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                told.append(reason.type)

        self.factory = PacedFactory(Factory.forProtocol(Telling), self.turns)

    def connection(self) -> Any:
        """
        @return: a protocol that the factory has built, with a transport.
        """
        paced = self.factory.buildProtocol(None)
        paced.makeConnection(StringTransport())
        return paced

    def test_turns(self) -> None:
        """
        Each turn delivers the events of one of the connections that have some,
        or one other item of the same queue.
        """
        one, two, three = (self.connection() for _ in range(3))
        one.dataReceived(b"1")
        self.turns.add(lambda: self.told.append("other"))
        two.dataReceived(b"2")
        three.connectionLost(Failure(ConnectionDone()))
        steps = [len(self.told)]
        for _ in range(4):
            self.clock.turn()
            steps.append(len(self.told))
        self.assertEqual(steps, [1, 2, 3, 4, 4])
        self.assertEqual(self.told, [b"1", "other", b"2", ConnectionDone])

    def test_together(self) -> None:
        """
        All data that have arrived by the turn of a connection are delivered in
        it, and then its end.
        """
        self.turns.add(lambda: None)
        one = self.connection()
        one.dataReceived(b"1")
        one.dataReceived(b"2")
        one.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.told, [])
        self.clock.turn()
        self.assertEqual(self.told, [b"12", ConnectionLost])
        self.clock.turn()
        self.clock.turn()
        self.assertEqual(self.told, [b"12", ConnectionLost])

    def test_bound(self) -> None:
        """
        Data beyond the buffer's limit are delivered without waiting for a
        turn.
        """
        self.turns.add(lambda: None)
        one = self.connection()
        one.dataReceived(bytes(1 << 20))
        self.assertEqual(self.told, [])
        one.dataReceived(b"1")
        self.assertEqual(self.told, [bytes(1 << 20) + b"1"])
        self.clock.turn()
        self.assertEqual(len(self.told), 1)
