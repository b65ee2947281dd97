"""
Tests of the difference between settings for the requests of routes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.settings import EdgeSettings
from brxy.edge.reload.changes import Changes
from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.test.edge.reload.test_changes import plan


def edge(*routed: RoutedHosts) -> EdgeSettings:
    """
    @return: settings with these routes.
    """
    return EdgeSettings(ports=[], routed=routed)


class RequestTests(SynchronousTestCase):
    """
    Tests of keys of routes that are about requests.
    """

    def test_keys(self) -> None:
        """
        Each key that differs is named with its route.  All of them take effect at once.
        """
        before = edge(
            RoutedHosts("a", ["a"], RouteSettings(hold_timeout=1.0)),
            RoutedHosts("b", ["b"], RouteSettings(paths=[b"/x"])),
            RoutedHosts("c", ["c"], RouteSettings(paths=[b"/x"])),
        )
        after = edge(
            RoutedHosts("a", ["a", "d"], RouteSettings(paths=[b"/a"], strip_prefix=True)),
            RoutedHosts("c", ["c"], RouteSettings(paths=[b"/x"])),
        )
        found = plan(before, after)
        names = (
            *("host of a", "paths of a", "strip-prefix of a", "hold-timeout of a"),
            "paths of b",
        )
        self.assertEqual(found.changes, Changes(settings=names))
        self.assertEqual(found.settings.routed, after.routed)
        self.assertIsNone(found.hold_times.find)
        self.assertFalse(plan(after, after).changes)
