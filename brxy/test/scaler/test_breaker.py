"""
Tests for L{brxy.scaler.breaker}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.breaker import Breaker


class BreakerTests(SynchronousTestCase):
    """
    L{Breaker} counts what became of orders.
    """

    def setUp(self) -> None:
        self.breaker = Breaker()

    def test_newIsClosed(self) -> None:
        """
        A new one allows any number of orders.
        """
        self.assertIsNone(self.breaker.mayOrder(0.0))
        self.assertEqual(self.breaker.remaining(0.0), 0.0)

    def test_failureOpens(self) -> None:
        """
        A failure forbids orders for a second, and tells why.
        """
        self.breaker.failed("a", "exit status 1", 10.0)
        self.assertEqual(self.breaker.reason, "exit status 1")
        self.assertEqual(self.breaker.mayOrder(10.0), 0)
        self.assertEqual(self.breaker.mayOrder(10.9), 0)
        self.assertAlmostEqual(self.breaker.remaining(10.25), 0.75)
        self.assertEqual(self.breaker.remaining(12.0), 0.0)

    def test_oneCanary(self) -> None:
        """
        After the pause one order is allowed, and no other while it is under way.
        """
        self.breaker.failed("a", "", 0.0)
        self.assertEqual(self.breaker.mayOrder(1.0), 1)
        self.breaker.ordered("b")
        self.assertEqual(self.breaker.mayOrder(1.0), 0)
        self.assertEqual(self.breaker.mayOrder(100.0), 0)

    def test_canarySucceeds(self) -> None:
        """
        When the canary works, any number of orders is allowed again, and the
        next pause is a short one.
        """
        self._openFor(3)
        self.breaker.ordered("canary")
        self.breaker.succeeded(100.0)
        self.assertIsNone(self.breaker.mayOrder(100.0))
        self.breaker.failed("b", "", 200.0)
        self.assertEqual(self.breaker.remaining(200.0), 1.0)

    def test_pauseDoubles(self) -> None:
        """
        Each canary that fails doubles the pause, up to a minute.
        """
        self.assertEqual(self._openFor(9), [1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_stragglers(self) -> None:
        """
        Orders made before it opened don't prolong the pause when they fail as
        well, nor let a second canary out.
        """
        for ticket in "abcdef":
            self.breaker.failed(ticket, "", 0.0)
        self.assertEqual(self.breaker.remaining(0.0), 1.0)
        self.breaker.ordered("canary")
        self.breaker.failed("g", "", 1.0)
        self.assertEqual(self.breaker.mayOrder(1.0), 0)
        self.breaker.failed("canary", "", 2.0)
        self.assertEqual(self.breaker.remaining(2.0), 2.0)

    def test_stragglerSucceeds(self) -> None:
        """
        An order made before it opened closes it when it works.
        """
        self.breaker.failed("a", "", 0.0)
        self.breaker.succeeded(0.5)
        self.assertIsNone(self.breaker.mayOrder(0.5))

    def test_droppedCanary(self) -> None:
        """
        When the canary is taken back, another may be ordered.
        """
        self.breaker.failed("a", "", 0.0)
        self.breaker.ordered("b")
        self.breaker.dropped("x")
        self.assertEqual(self.breaker.mayOrder(5.0), 0)
        self.breaker.dropped("b")
        self.assertEqual(self.breaker.mayOrder(5.0), 1)

    def test_healthyStaysClosed(self) -> None:
        """
        A failure does not open it as long as no more orders failed than
        succeeded in the last ten seconds.
        """
        for at in range(5):
            self.breaker.succeeded(at)
        for _ in range(5):
            self.breaker.failed("a", "killed", 5.0)
            self.assertIsNone(self.breaker.mayOrder(5.0))
        self.breaker.failed("a", "killed", 5.0)
        self.assertEqual(self.breaker.mayOrder(5.0), 0)

    def test_oldSuccessesDontCount(self) -> None:
        """
        Successes of more than ten seconds ago don't excuse a failure.
        """
        for _ in range(50):
            self.breaker.succeeded(0.0)
        self.breaker.failed("a", "", 10.0)
        self.assertEqual(self.breaker.mayOrder(10.0), 0)

    def test_killStorm(self) -> None:
        """
        When ten instances a second are killed, a fifth of them before they
        showed that they work, it never opens.
        """
        for step in range(1000):
            now = step / 10
            if step % 5 == 4:
                self.breaker.failed(str(step), "killed by SIGKILL", now)
            else:
                self.breaker.succeeded(now)
            self.assertIsNone(self.breaker.mayOrder(now))

    def test_boundedMemory(self) -> None:
        """
        It remembers a bounded number of outcomes, however fast they come.
        """
        for _ in range(10_000):
            self.breaker.succeeded(0.0)
        for _ in range(1_000):
            self.breaker.failed("a", "", 0.0)
        self.assertEqual(self.breaker.mayOrder(0.0), 0)

    def test_forgetAt(self) -> None:
        """
        There is nothing to remember at first, outcomes for ten seconds, and a
        pause for a minute after it is over.
        """
        self.assertEqual(self.breaker.forgetAt(), 0.0)
        self.breaker.succeeded(3.0)
        self.assertEqual(self.breaker.forgetAt(), 13.0)
        self.breaker.failed("a", "", 4.0)
        self.breaker.failed("a", "", 4.0)
        self.assertEqual(self.breaker.forgetAt(), 65.0)

    def _openFor(self, failures: int) -> list[float]:
        """
        Let the first order and then each canary fail; return the pauses.
        """
        now = 0.0
        pauses = []
        for number in range(failures):
            self.breaker.ordered(str(number))
            self.breaker.failed(str(number), "", now)
            pauses.append(self.breaker.remaining(now))
            now += pauses[-1]
            self.assertEqual(self.breaker.mayOrder(now), 1)
        return pauses
