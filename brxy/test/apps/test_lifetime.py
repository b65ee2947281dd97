"""
Tests for L{brxy.apps.lifetime}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.apps.lifetime import Drain, Exit, Lifetime, Stay
from brxy.test.support.memory.examples import bounded


class LifetimeTests(SynchronousTestCase):
    """
    Tests for L{Lifetime}, with 300 s for the newest and 10 s for an older one.
    """

    def setUp(self) -> None:
        self.lifetime = Lifetime(300.0, 10.0, now=1000.0)

    def test_idleFromTheStart(self) -> None:
        """
        An instance that never gets an exchange leaves when its time is over.
        """
        self.assertEqual(self.lifetime.next(1000.0), Stay(1300.0))
        self.assertEqual(self.lifetime.next(1299.9), Stay(1300.0))
        self.assertEqual(self.lifetime.next(1300.0), Exit())

    def test_busyStays(self) -> None:
        """
        While an exchange runs the instance stays, however long that takes.
        """
        self.lifetime.exchangeBegan()
        self.assertEqual(self.lifetime.next(1e9), Stay(None))

    def test_idleFromTheLastExchange(self) -> None:
        """
        Idle time counts from the end of the last of the exchanges.
        """
        self.lifetime.exchangeBegan()
        self.lifetime.exchangeBegan()
        self.lifetime.exchangeOver(2000.0)
        self.assertEqual(self.lifetime.busy, 1)
        self.assertEqual(self.lifetime.next(2400.0), Stay(None))
        self.lifetime.exchangeOver(2500.0)
        self.assertEqual(self.lifetime.next(2500.0), Stay(2800.0))

    def test_olderLeavesSoon(self) -> None:
        """
        An older instance leaves when it was idle for the short time.
        """
        self.lifetime.setNewest(False, 1001.0)
        self.lifetime.exchangeBegan()
        self.lifetime.exchangeOver(1050.0)
        self.assertEqual(self.lifetime.next(1059.0), Stay(1060.0))
        self.assertEqual(self.lifetime.next(1060.0), Exit())

    def test_becomesOlderWhileIdle(self) -> None:
        """
        An instance that was idle for long when a newer one appeared still has
        the short time, from then on.
        """
        self.lifetime.setNewest(False, 1200.0)
        self.assertEqual(self.lifetime.next(1200.0), Stay(1210.0))

    def test_becomesNewestAgain(self) -> None:
        """
        When the newer one is gone, the long time applies, from then on.
        """
        self.lifetime.setNewest(False, 1200.0)
        self.lifetime.setNewest(True, 1205.0)
        self.assertEqual(self.lifetime.next(1210.0), Stay(1505.0))

    def test_toldTheSameAgain(self) -> None:
        """
        Each slot reports whether the instance is the newest. Repeated reports
        have no effect.
        """
        self.lifetime.setNewest(True, 1100.0)
        self.assertEqual(self.lifetime.next(1100.0), Stay(1300.0))
        self.lifetime.setNewest(False, 1200.0)
        self.lifetime.setNewest(False, 1209.0)
        self.assertEqual(self.lifetime.next(1209.0), Stay(1210.0))

    def test_retiredIdle(self) -> None:
        """
        An idle instance leaves at once when it is retired.
        """
        self.lifetime.retire()
        self.assertEqual(self.lifetime.next(1000.0), Exit())

    def test_retiredBusy(self) -> None:
        """
        A busy instance that is retired finishes what runs and then leaves.
        """
        self.lifetime.exchangeBegan()
        self.lifetime.retire()
        self.assertEqual(self.lifetime.next(1000.0), Drain())
        self.lifetime.exchangeOver(1001.0)
        self.assertEqual(self.lifetime.next(1001.0), Exit())

    def test_nothingLeavesDraining(self) -> None:
        """
        Once an instance drains, neither an exchange that was already under way
        nor becoming the newest again makes it stay.
        """
        self.lifetime.setNewest(False, 1000.0)
        self.assertEqual(self.lifetime.next(1010.0), Exit())
        self.lifetime.setNewest(True, 1010.0)
        self.assertEqual(self.lifetime.next(1010.0), Exit())
        self.lifetime.exchangeBegan()
        self.assertEqual(self.lifetime.next(1010.0), Drain())

    def test_finishedTooOften(self) -> None:
        """
        An end without a beginning is a bug, and raises.
        """
        self.assertRaises(RuntimeError, self.lifetime.exchangeOver, 1000.0)

    @bounded(150)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["began", "finished", "newest", "older", "retire"]),
                st.integers(0, 20),
            ),
            max_size=30,
        )
    )
    def test_anyHistory(self, history: list[tuple[str, int]]) -> None:
        """
        For any history: nothing exits while it is busy, the next time to check
        lies ahead, and the check at that time ends it.
        """
        now, lifetime, draining = 0.0, Lifetime(30.0, 10.0, now=0.0), False
        for what, pause in history:
            now += pause
            if what == "began":
                lifetime.exchangeBegan()
            elif what == "finished" and lifetime.busy:
                lifetime.exchangeOver(now)
            elif what in ("newest", "older"):
                lifetime.setNewest(what == "newest", now)
            elif what == "retire":
                lifetime.retire()
            step = lifetime.next(now)
            if isinstance(step, Exit):
                self.assertEqual(lifetime.busy, 0)
            if isinstance(step, Stay):
                self.assertFalse(draining)
                self.assertEqual(step.until is None, lifetime.busy > 0)
                self.assertTrue(step.until is None or now < step.until <= now + 30.0)
            else:
                draining = True
        while lifetime.busy:
            lifetime.exchangeOver(now)
        step = lifetime.next(now)
        if isinstance(step, Stay):
            assert step.until is not None
            step = lifetime.next(step.until)
        self.assertEqual(step, Exit())
