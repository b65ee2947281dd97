"""
Tests of samples of times.
"""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from brxy.uptake.sample import Sample


def sample(*seconds: float, size: int = 4, concurrency: int = 8) -> Sample:
    """
    @return: a sample all of whose exchanges have begun, with these answers.
    """
    return Sample(1, 0.0, size, begun=size, concurrency=concurrency, seconds=list(seconds))


class SampleTests(SynchronousTestCase):
    """
    Tests of L{Sample}.
    """

    def test_complete(self) -> None:
        """
        A sample is complete when all its exchanges have begun and been answered.
        """
        self.assertTrue(sample(1, 1, 1, 1).isComplete(10))
        self.assertFalse(sample(1, 1, 1).isComplete(10))
        self.assertFalse(Sample(1, 0.0, 4, begun=1, seconds=[1.0]).isComplete(10))

    def test_late(self) -> None:
        """
        It doesn't wait for what takes eight times as long as the others, or longer than a minute.
        """
        found = sample(*[1.0] * 15, size=16)
        self.assertFalse(found.isComplete(100))
        self.assertFalse(found.isComplete(114))
        self.assertTrue(found.isComplete(116))
        found.measure(True)
        self.assertAlmostEqual(found.mean, (15 + 16) / 16)
        half = sample(1, 1)
        self.assertFalse(half.isComplete(0))
        self.assertFalse(half.isComplete(59))
        self.assertTrue(half.isComplete(60))

    def test_horizon(self) -> None:
        """
        With a horizon nothing is waited for beyond it, and longer times count as that.
        """
        found = sample(1, 1, 9)
        found.horizon = 3.0
        self.assertFalse(found.isComplete(20))
        self.assertTrue(found.isComplete(23))
        found.measure(True)
        self.assertAlmostEqual(found.mean, (1 + 1 + 3 + 3) / 4)

    def test_measure(self) -> None:
        """
        It has the means of concurrency and time, and the relative standard error of the latter.
        """
        found = sample(1, 3)
        found.measure(False)
        self.assertEqual((found.level, found.mean), (2.0, 2.0))
        self.assertAlmostEqual(found.error, 1 / 2)

    def test_extend(self) -> None:
        """
        A sample that is extended waits for further exchanges.
        """
        found = sample(1, 1, 1, 1)
        found.extend()
        self.assertEqual(found.size, 8)
        self.assertFalse(found.isComplete(math.inf))

    def test_close(self) -> None:
        """
        One that is closed counts what is missing with the time that it has waited since all had
        begun, if that isn't much.
        """
        found = sample(1, 1, 1)
        self.assertFalse(found.isComplete(10))
        self.assertTrue(found.close(15))
        found.measure(True)
        self.assertAlmostEqual(found.mean, (1 + 1 + 1 + 5) / 4)
        self.assertFalse(sample(1, 1).close(15))
