"""
Our own spawners pass the tests that every spawner has to pass.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from brxy.spawners.local import app, process
from brxy.spawners.testing import SpawnerTests

__all__ = ["AppTests", "ProcessTests"]


class AppTests(SpawnerTests, TestCase):
    """
    C{app:} passes.
    """

    factory = app.factory

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"app: -- {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return "app: -- sh -c 'echo no such module >&2; exit 3'"


class ProcessTests(SpawnerTests, TestCase):
    """
    C{process:} passes.
    """

    factory = process.factory

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"process: -- twistd -n brxy-node -- {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return "process: -- no-such-program"
