"""
Tests of L{brxy.reactor.alarm}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.alarm import Alarm


class AlarmTests(SynchronousTestCase):
    """
    Tests of L{Alarm}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.rung: list[float] = []
        self.alarm = Alarm(self.clock, lambda: self.rung.append(self.clock.seconds()))

    def test_earliest(self) -> None:
        """
        An alarm calls at the earliest of the times that were set, once,
        whatever their order.
        """
        for at in (5.0, 2.0, 8.0, None):
            self.alarm.set(at)
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.rung, [2.0])

    def test_again(self) -> None:
        """
        An alarm can be set again.
        """
        self.alarm.set(1.0)
        self.clock.advance(1.0)
        self.alarm.set(3.0)
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.rung, [1.0, 3.0])

    def test_past(self) -> None:
        """
        A time in the past is due at once.
        """
        self.clock.advance(5.0)
        self.alarm.set(1.0)
        self.clock.advance(0)
        self.assertEqual(self.rung, [5.0])

    def test_stop(self) -> None:
        """
        A stopped alarm leaves no timer, and can't be set any more.
        """
        self.alarm.set(1.0)
        self.alarm.stop()
        self.alarm.set(2.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
