"""
Tests of the limits on what clients may use, as numbers alone.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.limits import Limits


class LimitsTests(SynchronousTestCase):
    """
    Tests of L{Limits}.
    """

    def test_heldTotal(self) -> None:
        """
        All routes together hold 10,000 clients, or as many as one route may.
        """
        self.assertEqual(Limits().held_total, 10_000)
        self.assertEqual(Limits(max_held=20_000).held_total, 20_000)
        self.assertEqual(Limits(max_held=20_000, max_held_total=5).held_total, 5)
