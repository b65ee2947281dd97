"""
Tests of the simulated apps of the benchmark of limits for apps that queue inside.
"""

from __future__ import annotations

from importlib.util import find_spec
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

if find_spec("benchmarks") is None:
    raise SkipTest("needs benchmarks/: run the tests in a checkout")

from benchmarks.slowdown.rivals import Gradient, Quantile, Vegas
from benchmarks.slowdown.servers import App, Loop, Pauses, Shared, Simulation, Threads


class AppTests(SynchronousTestCase):
    """
    Tests of the simulated apps.
    """

    def setUp(self) -> None:
        self.simulation = Simulation()

    def ends(self, app: App, *work: float) -> list[float]:
        """
        @return: when requests that come together are answered.
        """
        found: list[float] = []
        for seconds in work:
            app.begin(seconds, lambda: found.append(round(self.simulation.now, 6)))
        self.simulation.run(self.simulation.now + 50)
        return found

    def test_threads(self) -> None:
        """
        An app with threads works on that number of requests at once.
        """
        self.assertEqual(self.ends(Threads(self.simulation, 2), 1, 2, 3), [1, 2, 4])

    def test_shared(self) -> None:
        """
        One that shares its processors works on all, each the slower.
        """
        self.assertEqual(self.ends(Shared(self.simulation, 1), 1, 2), [2, 3])
        self.assertEqual(self.ends(Shared(self.simulation, 2), 1, 2), [51, 52])

    def test_loop(self) -> None:
        """
        An event loop waits for many requests at once, but has one processor.
        """
        self.assertEqual(self.ends(Loop(self.simulation, 0.5), 2, 2), [2, 3])

    def test_pauses(self) -> None:
        """
        Work that meets a pause ends later by that.
        """
        pauses = Pauses(10, 1)
        self.assertEqual(pauses.end(0.5, 2), 2.5)
        self.assertEqual(pauses.end(9.5, 1), 11.5)
        self.assertEqual(pauses.end(10.5, 1), 12)


class RivalTests(SynchronousTestCase):
    """
    Tests of the algorithms that brxy is compared with.
    """

    def test_slow(self) -> None:
        """
        Each lowers its limit when first bytes take ten times as long as before.
        """
        for learner in (Gradient(100), Vegas(100), Quantile(100)):
            for step in range(400):
                learner.answered(100, 0.1 if step < 200 else 1.0, step / 10)
            self.assertLess(learner.limit, 100, learner)
