"""
Tests of L{brxy.node.capacity}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.node.capacity import Capacity


class CapacityTests(SynchronousTestCase):
    """
    Tests of L{Capacity}.
    """

    def test_claims(self) -> None:
        """
        There are as many claims as places; each that is released can be claimed again.
        """
        capacity = Capacity(2)
        self.assertEqual([capacity.claim() for _ in range(3)], [True, True, False])
        self.assertEqual(capacity.left, 0)
        capacity.release()
        self.assertEqual(capacity.left, 1)
        self.assertEqual([capacity.claim() for _ in range(2)], [True, False])

    def test_released(self) -> None:
        """
        A place that was not claimed can't be released.
        """
        capacity = Capacity(1)
        self.assertRaises(RuntimeError, capacity.release)
        capacity.claim()
        capacity.release()
        self.assertRaises(RuntimeError, capacity.release)
