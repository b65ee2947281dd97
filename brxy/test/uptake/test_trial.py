"""
Tests of trials of another limit.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.uptake.sample import Sample
from brxy.uptake.trial import FIRST, SOON, Outcome, Trial


def sample(level: int, seconds: float, count: int = FIRST, size: int = FIRST) -> Sample:
    """
    @return: a sample whose times vary by a tenth.
    """
    times = [seconds * (0.9 if i % 2 else 1.1) for i in range(count)]
    found = Sample(1, 0.0, size, begun=size, concurrency=level * size, seconds=times)
    found.measure(False)
    return found


def outcome(trial: Trial, found: Sample, now: float = 1.0) -> Outcome:
    found.horizon = trial.horizon()
    return trial.outcome(found, now)


class LowerTests(SynchronousTestCase):
    """
    Tests of L{Trial} with a lower limit.
    """

    def test_queue(self) -> None:
        """
        Where the time falls in proportion, the lower limit is enough.
        """
        trial = Trial(sample(20, 1.0), 100, 5)
        self.assertIs(outcome(trial, sample(5, 0.25)), Outcome.FOUND)
        self.assertEqual(trial.found, 5)

    def test_knee(self) -> None:
        """
        A limit that was tried too low is corrected.
        """
        trial = Trial(sample(20, 0.5), 100, 5)
        self.assertIs(outcome(trial, sample(5, 0.2)), Outcome.FOUND)
        self.assertEqual(trial.found, 8)

    def test_flat(self) -> None:
        """
        Eight answers that take as long as before end the trial.
        """
        trial = Trial(sample(20, 1.0), 100, 10)
        self.assertIs(outcome(trial, sample(10, 1.0, count=7)), Outcome.OPEN)
        self.assertIs(outcome(trial, sample(10, 1.0, count=8)), Outcome.FLAT)

    def test_quickFirst(self) -> None:
        """
        Quick answers prove nothing while others are missing.
        """
        trial = Trial(sample(20, 1.0), 100, 10)
        self.assertIs(outcome(trial, sample(10, 0.1, count=16)), Outcome.OPEN)

    def test_vague(self) -> None:
        """
        If the times differ too much, the limit stays.
        """
        trial = Trial(sample(20, 1.0), 100, 10)
        found = sample(10, 0.1, size=64, count=64)
        found.seconds[:4] = [5.0] * 4
        self.assertIs(outcome(trial, found), Outcome.VAGUE)

    def test_patience(self) -> None:
        """
        A trial whose exchanges aren't answered is given up.
        """
        trial = Trial(sample(20, 1.0), 100, 10)
        found = sample(10, 0.5, count=9)
        found.latest = 8.0
        self.assertAlmostEqual(trial.end(found), 1 + 4 + 2 * FIRST / 20)
        self.assertIs(outcome(trial, found, 8.1), Outcome.OPEN)
        self.assertIs(outcome(trial, found, 8.3), Outcome.FAILED)

    def test_stalled(self) -> None:
        """
        So is one without any answer for the time of sixteen.
        """
        trial = Trial(sample(2, 1.0), 100, 1)
        found = sample(1, 0.5, count=1)
        self.assertAlmostEqual(trial.end(found), 2 + 16 / 2)
        found.latest = 3.0
        self.assertAlmostEqual(trial.end(found), 3 + 16 / 2)

    def test_least(self) -> None:
        """
        Exchanges that begin far below the limit don't belong to the trial.
        """
        self.assertEqual(Trial(sample(20, 1.0), 100, 10).least(), 8)


class HigherTests(SynchronousTestCase):
    """
    Tests of L{Trial} with a higher limit.
    """

    def test_flat(self) -> None:
        """
        Where the time stays the same, the higher limit is right.
        """
        trial = Trial(sample(4, 1.0), 4, 6)
        self.assertIs(outcome(trial, sample(6, 1.0)), Outcome.FOUND)
        self.assertEqual(trial.found, 6)

    def test_knee(self) -> None:
        """
        If a part of the further exchanges queues, the limit is between.
        """
        trial = Trial(sample(4, 1.0), 4, 6)
        self.assertIs(outcome(trial, sample(6, 1.2)), Outcome.FOUND)
        self.assertEqual(trial.found, 5)

    def test_queue(self) -> None:
        """
        Where the time grows in proportion, nothing is gained.
        """
        trial = Trial(sample(4, 1.0), 4, 6)
        self.assertIs(outcome(trial, sample(6, 1.5)), Outcome.FAILED)

    def test_soon(self) -> None:
        """
        A queue that costs little time does not matter.
        """
        trial = Trial(sample(4, SOON / 3), 4, 6)
        self.assertIs(outcome(trial, sample(6, SOON / 2)), Outcome.FOUND)

    def test_undo(self) -> None:
        """
        A limit that was lowered by mistake is put back.
        """
        trial = Trial(sample(20, 1.0), 20, 40, undo=100)
        self.assertIs(outcome(trial, sample(40, 1.0)), Outcome.FOUND)
        self.assertEqual(trial.found, 100)

    def test_least(self) -> None:
        """
        Only exchanges beyond the present limit belong to the trial.
        """
        self.assertEqual(Trial(sample(4, 1.0), 4, 5).least(), 5)
