"""
Tests of L{brxy.scaler.restarts.Elsewhere}.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.rules import Rule
from brxy.test.support.memory.fleets import FakeEdge


class ElsewhereTests(SynchronousTestCase):
    """
    Tests of the instances of former edges.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge([Rule(None, 2, 1, "app")], max_total=3)

    def elsewhere(self, **instances: Sequence[str | None]) -> None:
        """
        Former edges need these.
        """
        self.edge.perform(self.edge.scaler.elsewhere.set(instances, self.edge.now))

    def test_counts(self) -> None:
        """
        They count for the maximum of their rule, until they are gone.
        """
        self.elsewhere(x1=["a", "app"], x2=["a", "app"])
        self.edge.hold(2, "a")
        self.assertEqual(len(self.edge.spawned), 0)
        self.elsewhere(x1=["a", "app"])
        self.assertEqual(len(self.edge.spawned), 1)
        self.elsewhere()
        self.assertEqual(len(self.edge.spawned), 2)

    def test_total(self) -> None:
        """
        They count for the maximum of all routes.
        """
        self.elsewhere(x1=["a", "app"], x2=["b", "app"], x3=["c", "gone"])
        self.edge.hold(1, "d")
        self.assertEqual(len(self.edge.spawned), 0)
        self.elsewhere(x1=["a", "app"], x2=["b", "app"])
        self.assertEqual([each.route for each in self.edge.spawned], ["d"])

    def test_returned(self) -> None:
        """
        One that has dialled here counts once.
        """
        self.elsewhere(x1=["a", "app"])
        self.edge.dial("x1", "n1", "a", 1)
        self.edge.hold(2, "a")
        self.assertEqual(self.edge.scaler.total(), 2)
        self.assertEqual(len(self.edge.spawned), 1)
