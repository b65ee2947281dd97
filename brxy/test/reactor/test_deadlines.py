"""
Tests for L{brxy.reactor.deadlines}.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.deadlines import Deadlines
from brxy.test.support.memory.examples import bounded


class DeadlinesTests(SynchronousTestCase):
    """
    Tests for L{Deadlines} with a delay of 8 seconds, so that items expire at
    most 2 seconds late.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[tuple[str, float]] = []
        self.reactions: dict[str, Callable[[], object]] = {}
        self.deadlines: Deadlines[str] = Deadlines(self.clock, 8.0, self.expire)

    def expire(self, item: str) -> None:
        self.expired.append((item, self.clock.seconds()))
        self.reactions.get(item, lambda: None)()

    def advance(self, seconds: float) -> None:
        """
        Advance the clock in small steps, as a reactor does.
        """
        self.clock.pump([0.25] * int(seconds * 4))

    def test_expires(self) -> None:
        """
        An item expires once, after the delay, and at most a quarter of the
        delay late.
        """
        self.deadlines.start("a")
        self.advance(7.75)
        self.assertEqual(self.expired, [])
        self.assertIn("a", self.deadlines)
        self.advance(2.25)
        self.assertEqual(self.expired, [("a", 10.0)])
        self.assertNotIn("a", self.deadlines)
        self.advance(30)
        self.assertEqual(len(self.expired), 1)

    def test_stopped(self) -> None:
        """
        A stopped item does not expire, and stopping it again does nothing.
        """
        self.deadlines.start("a")
        self.deadlines.start("b")
        self.deadlines.stop("a")
        self.deadlines.stop("a")
        self.assertEqual(len(self.deadlines), 1)
        self.advance(20)
        self.assertEqual([item for item, _ in self.expired], ["b"])

    def test_restarted(self) -> None:
        """
        An item that is started again has the full delay again.
        """
        self.deadlines.start("a")
        self.advance(6)
        self.deadlines.start("a")
        self.assertEqual(len(self.deadlines), 1)
        self.advance(7.75)
        self.assertEqual(self.expired, [])
        self.advance(2.25)
        self.assertEqual(self.expired, [("a", 16.0)])

    def test_order(self) -> None:
        """
        Items expire in the order in which they were last started.
        """
        for item in "abca":
            self.deadlines.start(item)
            self.advance(0.25)
        self.advance(12)
        self.assertEqual([item for item, _ in self.expired], ["b", "c", "a"])

    def test_burstSharesAWakeUp(self) -> None:
        """
        Items started within a quarter of the delay expire in one sweep.
        """
        for item in "abcd":
            self.deadlines.start(item)
            self.advance(0.5)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.advance(8)
        self.assertEqual(self.expired, [(item, 10.0) for item in "abcd"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_timerOnlyWithItems(self) -> None:
        """
        There is no timer before the first item. The timer that is left when
        the last item was stopped fires once and does nothing.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.deadlines.start("a")
        [timer] = self.clock.getDelayedCalls()
        self.deadlines.stop("a")
        self.deadlines.start("b")
        self.deadlines.stop("b")
        self.assertEqual(self.clock.getDelayedCalls(), [timer])
        self.advance(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.expired, [])

    def test_startedAgainAfterRest(self) -> None:
        """
        After a time without a timer, the next item expires as the first one
        does.
        """
        self.deadlines.start("a")
        self.advance(20)
        self.deadlines.start("b")
        self.advance(10)
        self.assertEqual(self.expired, [("a", 10.0), ("b", 30.0)])

    def test_stopAll(self) -> None:
        """
        After L{Deadlines.stopAll} nothing expires, no timer is left, and items can
        be started again.
        """
        self.deadlines.stopAll()
        self.deadlines.start("a")
        self.deadlines.stopAll()
        self.assertEqual((len(self.deadlines), self.clock.getDelayedCalls()), (0, []))
        self.deadlines.start("b")
        self.advance(10)
        self.assertEqual(self.expired, [("b", 10.0)])

    def test_failureLosesNobody(self) -> None:
        """
        When the expiry of one item fails, the failure is logged and the other
        items still expire.
        """
        self.reactions["a"] = lambda: 1 // 0
        for item in "ab":
            self.deadlines.start(item)
        self.advance(4)
        self.deadlines.start("c")
        self.advance(10)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([item for item, _ in self.expired], ["a", "b", "c"])

    def test_expiryStopsAnother(self) -> None:
        """
        An item stopped by the expiry of another in the same sweep does not expire.
        """
        self.reactions["a"] = lambda: self.deadlines.stop("b")
        for item in "abc":
            self.deadlines.start(item)
        self.advance(20)
        self.assertEqual([item for item, _ in self.expired], ["a", "c"])

    def test_expiryStartsAnother(self) -> None:
        """
        An item that is restarted by the expiry of another in the same sweep
        has the full delay again.
        """
        self.reactions["a"] = lambda: self.deadlines.start("b")
        for item in "ab":
            self.deadlines.start(item)
        self.advance(20)
        self.assertEqual(self.expired, [("a", 10.0), ("b", 20.0)])

    def test_expiryStartsItself(self) -> None:
        """
        An item may restart itself, which needs one timer, not two.
        """
        self.reactions["a"] = lambda: self.deadlines.start("a")
        self.deadlines.start("a")
        self.advance(31)
        self.assertEqual(self.expired, [("a", 10.0), ("a", 20.0), ("a", 30.0)])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_expiryStopsAll(self) -> None:
        """
        An expiry may stop all remaining items.
        """
        self.reactions["a"] = self.deadlines.stopAll
        for item in "ab":
            self.deadlines.start(item)
        self.advance(20)
        self.assertEqual([item for item, _ in self.expired], ["a"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_clockJumpsAhead(self) -> None:
        """
        After a long stall all items that are due expire in one sweep.
        """
        for item in "ab":
            self.deadlines.start(item)
            self.advance(3)
        self.clock.advance(1000)
        self.assertEqual(self.expired, [("a", 1006.0), ("b", 1006.0)])

    @bounded(100)
    @given(
        st.lists(
            st.tuples(st.booleans(), st.sampled_from("abcde"), st.integers(0, 12)), max_size=40
        )
    )
    def test_anyHistory(self, history: list[tuple[bool, str, int]]) -> None:
        """
        Whatever is started and stopped, each item expires neither early nor more
        than a quarter of the delay late, and at most one timer runs.
        """
        clock = Clock()
        running: dict[str, float] = {}

        def expire(item: str) -> None:
            late = clock.seconds() - (running.pop(item) + 8.0)
            self.assertTrue(0.0 <= late <= 2.0, late)

        deadlines = Deadlines(clock, 8.0, expire)
        for start, item, pause in history:
            if start:
                deadlines.start(item)
                running[item] = clock.seconds()
            else:
                deadlines.stop(item)
                running.pop(item, None)
            clock.pump([0.25] * pause)
            self.assertEqual(len(deadlines), len(running))
            self.assertTrue(len(clock.getDelayedCalls()) <= 1)
        clock.pump([0.25] * 40)
        self.assertEqual(running, {})
