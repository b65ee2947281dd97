"""
Tests of L{brxy.apps.idleclock}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.apps.idleclock import IdleClock


class KeeperTests(SynchronousTestCase):
    """
    Tests of L{IdleClock}: 300 s for the newest instance, 10 s for an older one.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.drains = self.exits = 0
        self.idle_clock = IdleClock(self.clock, 300.0, 10.0, self.drain, self.exit)
        self.idle_clock.reconsider()

    def drain(self) -> None:
        self.drains += 1

    def exit(self) -> None:
        self.exits += 1

    def timers(self) -> int:
        return len(self.clock.getDelayedCalls())

    def test_idle(self) -> None:
        """
        The newest instance drains and exits, once, when it was idle for its
        full time.
        """
        self.clock.advance(299)
        self.assertEqual((self.drains, self.exits, self.idle_clock.leaving), (0, 0, False))
        self.clock.advance(1)
        self.assertTrue(self.drains)
        self.assertEqual((self.exits, self.idle_clock.leaving), (1, True))
        self.idle_clock.reconsider()
        self.idle_clock.retire()
        self.clock.advance(1000)
        self.assertEqual((self.exits, self.timers()), (1, 0))

    def test_old(self) -> None:
        """
        An older instance drains and exits after the shorter time, counted from
        when it became older.
        """
        self.clock.advance(100)
        self.idle_clock.setNewest(False)
        self.clock.advance(9)
        self.assertEqual(self.exits, 0)
        self.clock.advance(1)
        self.assertEqual(self.exits, 1)

    def test_newestAgain(self) -> None:
        """
        An instance that becomes the newest again has the long time again.
        """
        self.idle_clock.setNewest(False)
        self.clock.advance(9)
        self.idle_clock.setNewest(True)
        self.clock.advance(299)
        self.assertEqual(self.exits, 0)
        self.clock.advance(1)
        self.assertEqual(self.exits, 1)

    def test_busy(self) -> None:
        """
        An instance with a running exchange is not idle, and the time counts
        from the end of the last exchange.
        """
        self.idle_clock.lifetime.exchangeBegan()
        self.idle_clock.lifetime.exchangeBegan()
        self.assertEqual(self.idle_clock.lifetime.busy, 2)
        self.clock.pump([1000, 1000])
        self.idle_clock.exchangeOver()
        self.clock.advance(1000)
        self.assertEqual(self.exits, 0)
        self.idle_clock.exchangeOver()
        self.clock.advance(299)
        self.assertEqual(self.exits, 0)
        self.clock.advance(1)
        self.assertEqual(self.exits, 1)

    def test_oneTimer(self) -> None:
        """
        Many exchanges don't start a timer each, and there is never more than
        one.
        """
        before = list(self.clock.getDelayedCalls())
        for _ in range(1000):
            self.idle_clock.lifetime.exchangeBegan()
            self.idle_clock.exchangeOver()
        self.assertEqual(self.clock.getDelayedCalls(), before)
        self.assertEqual(self.timers(), 1)

    def test_timeFromLast(self) -> None:
        """
        An exchange keeps an instance, even if the timer was set before it.
        """
        for _ in range(10):
            self.clock.advance(200)
            self.idle_clock.lifetime.exchangeBegan()
            self.idle_clock.exchangeOver()
        self.assertEqual(self.exits, 0)
        self.clock.advance(299)
        self.assertEqual(self.exits, 0)
        self.clock.advance(1)
        self.assertEqual(self.exits, 1)

    def test_retired(self) -> None:
        """
        A retired instance drains at once, and exits when its running exchanges
        are over.
        """
        self.idle_clock.lifetime.exchangeBegan()
        self.idle_clock.lifetime.exchangeBegan()
        self.idle_clock.retire()
        self.assertEqual((self.drains > 0, self.exits, self.idle_clock.leaving), (True, 0, True))
        self.idle_clock.exchangeOver()
        self.assertEqual(self.exits, 0)
        self.idle_clock.exchangeOver()
        self.assertEqual((self.exits, self.timers()), (1, 0))

    def test_retiredIdle(self) -> None:
        """
        A retired instance that is idle exits at once.
        """
        self.idle_clock.retire()
        self.assertEqual((self.exits, self.timers()), (1, 0))

    def test_stop(self) -> None:
        """
        A stopped clock leaves no timer, and causes no exit.
        """
        self.idle_clock.stop()
        self.assertEqual(self.timers(), 0)
        self.clock.advance(1000)
        self.assertEqual(self.exits, 0)
