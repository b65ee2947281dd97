"""
Tests of L{brxy.tomlfile.nearest}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.tomlfile.nearest import didYouMean, nearest


class NearestTests(SynchronousTestCase):
    """
    Tests of L{nearest} and L{didYouMean}.
    """

    def test_nearest(self) -> None:
        """
        A typing error, another case, C{_} for C{-} and a part of a name are understood.
        """
        known = ["capacity", "max", "idle-timeout", "old-idle-timeout"]
        for name, expected in (
            ("capasity", "capacity"),
            ("Capacity", "capacity"),
            ("idle_timeout", "idle-timeout"),
            ("timeout", "idle-timeout"),
            ("xyzzy", None),
        ):
            self.assertEqual(nearest(name, known), expected)

    def test_message(self) -> None:
        """
        The message is empty if there is nothing to say.
        """
        self.assertEqual(didYouMean("mex", ["max"]), "; did you mean max?")
        self.assertEqual(didYouMean("xyzzy", ["max"]), "")
