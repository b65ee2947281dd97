"""
Tests of L{brxy.edge.admin.history.quantiles}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.history.quantiles import Quantiles

__all__ = ["QuantilesTests"]


class QuantilesTests(SynchronousTestCase):
    """
    Tests of L{Quantiles}.
    """

    def test_values(self) -> None:
        """
        The values are right within 5 %, whatever the order.
        """
        times = Quantiles()
        for number in range(1000, 0, -1):
            times.add(number / 1000)
        median, most, last = times.take([0.5, 0.99, 1.0])
        self.assertApproximates(median, 0.5, 0.025)
        self.assertApproximates(most, 0.99, 0.05)
        self.assertApproximates(last, 1.0, 0.05)

    def test_few(self) -> None:
        """
        One time is every quantile; nothing, and a negative time, are short.
        """
        times = Quantiles()
        times.add(2.0)
        for each in times.take([0.5, 0.99]):
            self.assertApproximates(each, 2.0, 0.1)
        times.add(0.0)
        times.add(-1.0)
        self.assertLess(times.take([0.99])[0], 1e-4)

    def test_none(self) -> None:
        """
        Without times there are no quantiles, and times that were taken are gone.
        """
        times = Quantiles()
        self.assertEqual(times.take([0.5]), [])
        times.add(1.0)
        times.take([0.5])
        self.assertEqual(times.take([0.5, 0.99]), [])
