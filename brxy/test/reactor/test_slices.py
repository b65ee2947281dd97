"""
Tests of L{brxy.reactor.slices}.
"""

from __future__ import annotations

from collections.abc import Generator

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.slices import SLICE, inSlices


class SlicesTests(SynchronousTestCase):
    """
    Tests of L{inSlices}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.steps = 0

    def work(self, steps: int) -> Generator[None, None, str]:
        """
        Work whose steps take a quarter of a slice each.
        """
        for _ in range(steps):
            self.steps += 1
            yield
        return "done"

    def test_slices(self) -> None:
        """
        The first slice is done at once, the others in later turns.
        """
        done = inSlices(self.clock, self.work(9), lambda: self.steps * SLICE / 4)
        self.assertEqual(self.steps, 4)
        self.assertNoResult(done)
        # This runs the calls of all turns.
        self.clock.advance(0)
        self.assertEqual((self.steps, self.successResultOf(done)), (9, "done"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_fails(self) -> None:
        """
        It fails with what the work raises.
        """

        def fails() -> Generator[None, None, None]:
            yield
            raise KeyError("key")

        self.failureResultOf(inSlices(self.clock, fails(), lambda: 0.0), KeyError)
