"""
Tests of L{brxy.edge.metrics.labels}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.metrics.labels import RouteLabels
from brxy.edge.metrics.metric import OTHER


class RouteLabelsTests(SynchronousTestCase):
    """
    Tests of L{RouteLabels}.
    """

    def labels(self, most: int = 1000) -> RouteLabels:
        labels = RouteLabels(most)
        labels.use(["shop", "a.example.com"], ["*.example.com", "*.b.example.com"])
        return labels

    def test_named(self) -> None:
        """
        A route that is named has a label of its own, though a pattern covers it, too.
        """
        labels = self.labels()
        self.assertEqual(labels.of("shop"), "shop")
        self.assertEqual(labels.of("a.example.com"), "a.example.com")

    def test_pattern(self) -> None:
        """
        A route that only patterns cover has the longest of them.
        """
        labels = self.labels()
        self.assertEqual(labels.of("x.example.com"), "*.example.com")
        self.assertEqual(labels.of("x.b.example.com"), "*.b.example.com")

    def test_other(self) -> None:
        """
        All other routes are one, whatever their number.
        """
        labels = self.labels()
        found = {labels.of(f"made-up-{number}") for number in range(25_000)}
        self.assertEqual(found, {OTHER})

    def test_most(self) -> None:
        """
        The routes that are used first have labels of their own, and keep them.
        """
        labels = self.labels(1)
        self.assertEqual(labels.of("a.example.com"), "a.example.com")
        self.assertEqual(labels.of("shop"), OTHER)
        labels.use(["shop", "a.example.com"], [])
        self.assertEqual(labels.of("shop"), OTHER)
        self.assertEqual(labels.of("a.example.com"), "a.example.com")

    def test_changed(self) -> None:
        """
        A route that is named later has its own label from then on.
        """
        labels = self.labels()
        self.assertEqual(labels.of("new"), OTHER)
        labels.use(["new"], [])
        self.assertEqual(labels.of("new"), "new")
        self.assertEqual(labels.of("shop"), OTHER)
