"""
Tests of C{stay:}, with the suite that brxy has for every spawner. Run them
with C{trial test_brxy_stay}, once the package is installed.
"""

from __future__ import annotations

from brxy_stay import factory
from twisted.trial.unittest import TestCase

from brxy.spawners.testing import SpawnerTests


class StayTests(SpawnerTests, TestCase):
    """
    Tests of L{brxy_stay}.
    """

    factory = factory

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"stay: stop-timeout=5 -- {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return "stay: -- no-such-program"
