"""
Tests of L{brxy.edge.config.served}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.served import checkServed
from brxy.errors import UsageError


class ServedTests(SynchronousTestCase):
    """
    Tests of L{checkServed}.
    """

    def test_served(self) -> None:
        """
        A route is served by a spawn of its own, by one with a pattern, and by one for all.
        """
        for pattern in ("a.example", "*.example", None):
            checkServed("--tcp", ["a.example"], ["other", pattern])

    def test_unserved(self) -> None:
        """
        The message has the route that is most like it.
        """
        error = self.assertRaises(
            UsageError, checkServed, "--tcp", ["a", "redis"], ["a", "web", "rediss"]
        )
        self.assertEqual(
            str(error),
            "--tcp: no --spawn serves the route redis: write route=redis in place of "
            "route=rediss, or add a --spawn for it",
        )
        error = self.assertRaises(UsageError, checkServed, "--route", ["x"], ["web"])
        self.assertIn("in place of route=web", str(error))
