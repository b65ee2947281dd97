"""
Tests of L{brxy.uptake.estimate}.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from brxy.uptake.estimate import PAUSE_LEAST, PAUSE_MOST, WINDOW, Estimate

SETTINGS = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

MOST = 6


class EstimateMachine(RuleBasedStateMachine):
    """
    An app that takes up what it likes, and observations of it in any order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.estimate = Estimate(MOST, 0.0)
        self.whole = 0
        self.probing = False
        self.fixed = False
        self.limit = MOST
        self.fresh = 0

    @rule()
    def begin(self) -> None:
        estimate = self.estimate
        fits = self.whole < estimate.capacity
        assert estimate.begin() == fits
        if fits:
            self.whole += 1
            self.fresh += 1
        elif estimate.probe():
            assert not self.probing
            self.probing = True

    @rule()
    @precondition(lambda self: self.whole)
    def over(self) -> None:
        waits = self.estimate.waits
        self.whole -= 1
        if self.estimate.over():
            assert self.probing and waits
            self.probing = False
            self.whole += 1
            self.fresh += 1

    @rule()
    def readAll(self) -> None:
        self.estimate.readAll()
        self.fresh = 0

    @rule()
    def show(self) -> None:
        self.estimate.show()

    @rule(waits=st.booleans())
    @precondition(lambda self: self.probing)
    def look(self, waits: bool) -> None:
        self.estimate.waits = waits

    @rule()
    @precondition(lambda self: self.probing)
    def takenUp(self) -> None:
        self.estimate.takenUp()
        assert self.estimate.paused
        self.probing = False
        self.whole += 1
        self.fresh += 1

    @rule()
    @precondition(lambda self: self.probing)
    def refused(self) -> None:
        self.estimate.refused()
        self.probing = False
        assert self.estimate.paused

    @rule(queued=st.booleans())
    @precondition(lambda self: self.estimate.paused)
    def pauseOver(self, queued: bool) -> None:
        before = self.estimate.pause
        assert self.estimate.pauseOver(queued) != queued
        assert before <= self.estimate.pause <= PAUSE_MOST

    @rule(share=st.floats(0, 1))
    def prove(self, share: float) -> None:
        before = self.estimate.capacity
        at_work = int(share * self.whole)
        higher = self.estimate.prove(at_work)
        assert higher == (self.estimate.capacity > before)
        assert not higher or (self.estimate.pause, self.estimate.paused) == (PAUSE_LEAST, False)
        assert self.estimate.capacity == max(before, min(self.limit, at_work))

    @rule(share=st.floats(0, 1))
    def unread(self, share: float) -> None:
        before = self.estimate.capacity
        changed = self.estimate.unread(int(share * self.whole))
        assert changed == (self.estimate.capacity != before)

    @rule(limit=st.integers(0, 2 * MOST))
    def setLimit(self, limit: int) -> None:
        self.estimate.limit(limit)
        self.limit = 1 if self.fixed else max(1, min(MOST, limit))

    @rule()
    def fix(self) -> None:
        self.estimate.fix()
        self.fixed, self.limit = True, 1

    @rule(seconds=st.sampled_from([1.0, WINDOW / 2, WINDOW, 3 * WINDOW]))
    def pass_(self, seconds: float) -> None:
        before = self.estimate.capacity
        self.now += seconds
        changed = self.estimate.expire(self.now)
        assert changed == (self.estimate.capacity != before)
        assert self.estimate.capacity <= before

    @invariant()
    def holds(self) -> None:
        estimate = self.estimate
        assert (estimate.working, estimate.probing) == (self.whole, self.probing)
        assert 1 <= estimate.capacity <= self.limit
        assert estimate.capacity <= estimate.pulls <= min(self.limit, estimate.capacity + 1)
        # Whether it waits is of use only while there is a probe.
        assert self.probing or not estimate.waits
        # What was proven is never more than what once ran.
        assert estimate.working <= MOST
        assert estimate.hasReadAll() == (not self.fresh)


class EstimateTests(SynchronousTestCase):
    """
    Tests of L{Estimate}.
    """

    def setUp(self) -> None:
        self.estimate = self.shown(100)

    def shown(self, most: int) -> Estimate:
        """
        @return: the estimate for an app that has taken up one exchange.
        """
        estimate = Estimate(most, 0.0)
        estimate.show()
        return estimate

    def prove(self, number: int) -> None:
        """
        Have this many exchanges at once, all of them taken up, and end them.
        """
        for _ in range(number):
            if not self.estimate.begin():
                self.assertTrue(self.estimate.probe())
                self.estimate.takenUp()
                self.estimate.prove(self.estimate.working)
        for _ in range(number):
            self.estimate.over()

    def test_model(self) -> None:
        """
        Whatever is observed, the capacity is between 1 and the limit, at most one more is
        pulled, there is at most one probe, and what runs is counted right.
        """
        run_state_machine_as_test(EstimateMachine, settings=SETTINGS)

    def test_first(self) -> None:
        """
        One exchange goes to the app whole without a proof.  There is no probe before that was
        taken up.
        """
        estimate = Estimate(100, 0.0)
        self.assertEqual((estimate.capacity, estimate.pulls), (1, 1))
        self.assertTrue(estimate.begin())
        self.assertFalse(estimate.begin())
        self.assertFalse(estimate.probe())
        estimate.show()
        self.assertEqual((estimate.capacity, estimate.pulls), (1, 2))
        self.assertTrue(estimate.probe())

    def test_proven(self) -> None:
        """
        What was taken up once goes at once the next time; one beyond it is a probe.
        """
        self.prove(3)
        self.assertEqual(self.estimate.capacity, 3)
        self.assertEqual([self.estimate.begin() for _ in range(4)], [True, True, True, False])

    def test_oneProbe(self) -> None:
        """
        There is one probe at a time, and none while the pause lasts after one that was
        refused.
        """
        self.estimate.begin()
        self.assertTrue(self.estimate.probe())
        self.assertFalse(self.estimate.probe())
        self.estimate.refused()
        self.assertFalse(self.estimate.probe())
        self.assertEqual(self.estimate.pulls, 1)
        self.estimate.pauseOver(False)
        self.assertTrue(self.estimate.probe())

    def test_most(self) -> None:
        """
        The capacity that is reached at most leaves no place for a probe.
        """
        estimate = self.shown(2)
        estimate.begin()
        self.assertTrue(estimate.probe())
        estimate.takenUp()
        estimate.prove(2)
        self.assertEqual((estimate.capacity, estimate.pulls), (2, 2))
        self.assertFalse(estimate.probe())

    def test_expires(self) -> None:
        """
        A proof counts for a window at least, and for less than two.
        """
        for began in (0.0, 0.5 * WINDOW, 0.9 * WINDOW):
            self.estimate = estimate = self.shown(100)
            # Looks come each second.
            for second in range(1, int(4 * WINDOW)):
                if second == int(began) + 1:
                    self.prove(5)
                    proven = second
                estimate.expire(float(second))
                if second >= began + 1 and estimate.capacity == 1:
                    break
            self.assertTrue(WINDOW <= second - proven <= 2 * WINDOW, second - proven)

    def test_inUse(self) -> None:
        """
        A proof does not expire while that many exchanges run.
        """
        self.prove(3)
        for _ in range(3):
            self.estimate.begin()
        for window in range(1, 5):
            self.assertFalse(self.estimate.expire(window * WINDOW))
        self.assertEqual(self.estimate.capacity, 3)

    def test_longAgo(self) -> None:
        """
        After a long time without a look, only what runs now counts.
        """
        self.prove(5)
        self.estimate.begin()
        self.estimate.begin()
        self.assertTrue(self.estimate.expire(10 * WINDOW))
        self.assertEqual(self.estimate.capacity, 2)

    def test_unproven(self) -> None:
        """
        What the app has taken up without being at work on it is no proof, however long it
        runs.
        """
        for _ in range(3):
            if not self.estimate.begin():
                self.estimate.probe()
                self.estimate.takenUp()
                self.estimate.prove(1)
                self.estimate.pauseOver(False)
        self.assertFalse(self.estimate.expire(WINDOW))
        self.assertEqual(self.estimate.capacity, 1)

    def test_unprovenPause(self) -> None:
        """
        After a probe that proves nothing there is none for a while, each time for longer.
        """
        estimate = self.estimate
        pauses = []
        for _ in range(3):
            if not estimate.working:
                estimate.begin()
            self.assertTrue(estimate.probe())
            estimate.takenUp()
            self.assertEqual((estimate.prove(1), estimate.pulls), (False, 1))
            estimate.over()
            self.assertFalse(estimate.probe())
            pauses.append(estimate.pause)
            self.assertTrue(estimate.pauseOver(False))
        self.assertLess(pauses[0], pauses[1])
        self.assertLess(pauses[1], pauses[2])
        self.assertEqual(estimate.pulls, 2)

    def test_limit(self) -> None:
        """
        A limit caps what is proven; without it, the proof counts again.
        """
        self.prove(5)
        self.assertTrue(self.estimate.limit(3))
        self.assertEqual((self.estimate.capacity, self.estimate.pulls), (3, 3))
        self.assertFalse(self.estimate.limit(3))
        self.assertTrue(self.estimate.limit(9))
        self.assertEqual((self.estimate.capacity, self.estimate.pulls), (5, 6))

    def test_fixed(self) -> None:
        """
        Once it is fixed, the capacity remains 1.
        """
        self.prove(5)
        self.assertTrue(self.estimate.fix())
        self.estimate.limit(50)
        self.estimate.prove(5)
        self.assertEqual((self.estimate.capacity, self.estimate.pulls), (1, 1))

    def test_place(self) -> None:
        """
        A probe that waits in the app's accept queue has the place of the next exchange that
        ends; one that the app has accepted has not.
        """
        estimate = self.estimate
        estimate.begin()
        estimate.probe()
        self.assertFalse(estimate.over())
        estimate.begin()
        estimate.waits = True
        self.assertTrue(estimate.over())
        self.assertEqual((estimate.working, estimate.probing), (1, False))

    def test_noPlace(self) -> None:
        """
        There is no place for it while more run than the app has been proven to take.
        """
        estimate = self.estimate
        self.prove(3)
        for _ in range(3):
            estimate.begin()
        estimate.probe()
        estimate.waits = True
        estimate.unread(1)
        self.assertEqual([estimate.over() for _ in range(3)], [False, False, True])


class TurnedAwayTests(SynchronousTestCase):
    """
    Tests of L{Estimate.turned_away}.
    """

    def test_waiting(self) -> None:
        """
        A probe that waits for a place counts; one that is taken up ends the count.
        """
        estimate = Estimate(100, 0.0)
        estimate.show()
        for _ in range(3):
            if not estimate.working:
                self.assertTrue(estimate.begin())
            self.assertTrue(estimate.probe())
            estimate.waits = True
            self.assertTrue(estimate.over())
            self.assertFalse(estimate.probe())
            estimate.pauseOver(False)
        self.assertEqual(estimate.turned_away, 3)
        self.assertTrue(estimate.probe())
        estimate.takenUp()
        self.assertEqual(estimate.turned_away, 0)
