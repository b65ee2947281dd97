"""
Tests of L{brxy.edge.config.spawnnames}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.spawnnames import SpawnNames
from brxy.errors import UsageError


class SpawnNamesTests(SynchronousTestCase):
    """
    Tests of L{SpawnNames}.
    """

    def names(self, *given: tuple[str, str | None]) -> list[str]:
        """
        @return: the names of spawns of these kinds, with these names or none.
        """
        names = SpawnNames()
        return [names.add(kind, name) for kind, name in given]

    def test_kinds(self) -> None:
        """
        Without a name a spawn has that of its kind, from the second on with a number.
        """
        self.assertEqual(
            self.names(("docker", None), ("app", None), ("docker", None), ("docker", None)),
            ["docker", "app", "docker-2", "docker-3"],
        )

    def test_given(self) -> None:
        """
        A spawn with a name changes nothing about the names of the others.
        """
        self.assertEqual(
            self.names(("docker", "big"), ("docker", None), ("docker", "small"), ("docker", None)),
            ["big", "docker", "small", "docker-2"],
        )

    def test_twice(self) -> None:
        """
        Two spawns can't have one name, however they came to it.
        """
        for given in (
            [("docker", "a"), ("app", "a")],
            [("docker", None), ("app", "docker")],
            [("docker", "docker-2"), ("docker", None), ("docker", None)],
        ):
            error = self.assertRaises(UsageError, self.names, *given)
            self.assertRegex(str(error), "^two --spawn are named (a|docker|docker-2): ")
