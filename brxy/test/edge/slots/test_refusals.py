"""
Tests of L{brxy.edge.slots.refusals}.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.events import Event, Events, NodeRefused
from brxy.edge.slots.refusals import MOST, PAUSE, Refusals


class RefusalsTests(SynchronousTestCase):
    """
    Tests of L{Refusals}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.refusals = Refusals(self.clock, Events((self.events.append,)))

    def refuse(self, host: str = "192.0.2.1", why: str = "no", port: int = 1) -> None:
        """
        Refuse a node.
        """
        self.refusals.note(IPv4Address("TCP", host, port), why)

    def reported(self) -> list[Event]:
        """
        What was reported since the last call.
        """
        events = list(self.events)
        self.events.clear()
        return events

    def test_once(self) -> None:
        """
        The same refusal of the same address is reported once a minute, whatever its port.
        """
        for port in range(100):
            self.refuse(port=port)
        self.assertEqual(self.reported(), [NodeRefused("192.0.2.1", "no")])
        self.clock.advance(PAUSE - 0.1)
        self.refuse()
        self.assertEqual(self.reported(), [])
        self.clock.advance(0.2)
        self.refuse()
        self.refuse()
        self.assertEqual(self.reported(), [NodeRefused("192.0.2.1", "no")])

    def test_each(self) -> None:
        """
        Another address, or another reason, is another refusal.
        """
        self.refuse()
        self.refuse("192.0.2.2")
        self.refuse(why="never")
        self.refusals.note(UNIXAddress(None), "no")
        self.assertEqual(
            self.reported(),
            [
                NodeRefused("192.0.2.1", "no"),
                NodeRefused("192.0.2.2", "no"),
                NodeRefused("192.0.2.1", "never"),
                NodeRefused("a unix socket", "no"),
            ],
        )

    def test_bounded(self) -> None:
        """
        At most L{MOST} refusals are remembered; then all are forgotten.
        """
        for number in range(3 * MOST):
            self.refuse(why=str(number))
        self.assertEqual(len(self.reported()), 3 * MOST)
        self.refuse(why=str(3 * MOST - 1))
        self.assertEqual(self.reported(), [])
        self.refuse(why="0")
        self.assertEqual(len(self.reported()), 1)
