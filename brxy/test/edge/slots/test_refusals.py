"""
Tests of L{brxy.edge.slots.refusals}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.slots.refusals import MOST, PAUSE, Refusals


class RefusalsTests(SynchronousTestCase):
    """
    Tests of L{Refusals}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.refusals = Refusals(self.clock)
        self.events: Any = self.enterContext(capturedLogs())

    def refuse(self, host: str = "192.0.2.1", why: str = "no", port: int = 1) -> None:
        """
        Refuse somebody.
        """
        self.refusals.say(IPv4Address("TCP", host, port), why)

    def lines(self) -> list[str]:
        """
        What was logged, and is forgotten then.
        """
        lines = [formatEvent(event) or "" for event in self.events]
        self.events.clear()
        return lines

    def test_once(self) -> None:
        """
        The same is said of the same address once a minute, whatever its port is.
        """
        for port in range(100):
            self.refuse(port=port)
        self.assertEqual(self.lines(), ["refused a node at 192.0.2.1: no"])
        self.clock.advance(PAUSE - 0.1)
        self.refuse()
        self.assertEqual(self.lines(), [])
        self.clock.advance(0.2)
        self.refuse()
        self.refuse()
        self.assertEqual(self.lines(), ["refused a node at 192.0.2.1: no"])

    def test_each(self) -> None:
        """
        Another address, or another reason, is something else.
        """
        self.refuse()
        self.refuse("192.0.2.2")
        self.refuse(why="never")
        self.refusals.say(UNIXAddress(None), "no")
        self.assertEqual(
            self.lines(),
            [
                "refused a node at 192.0.2.1: no",
                "refused a node at 192.0.2.2: no",
                "refused a node at 192.0.2.1: never",
                "refused a node at a unix socket: no",
            ],
        )

    def test_bounded(self) -> None:
        """
        Not more are told apart than there is room for; then it begins anew.
        """
        for number in range(3 * MOST):
            self.refuse(why=str(number))
        self.assertEqual(len(self.lines()), 3 * MOST)
        self.refuse(why=str(3 * MOST - 1))
        self.assertEqual(self.lines(), [])
        self.refuse(why="0")
        self.assertEqual(len(self.lines()), 1)
