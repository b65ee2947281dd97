"""
Tests of L{brxy.spawners.describe}.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen
from twisted.trial.unittest import SynchronousTestCase

from brxy.spawners.describe import describeSpawners


@frozen
class _Options:
    """
    Keys of all kinds.
    """

    where: str = field(
        metadata={"help": "the place; it has a meaning that takes some words to say"}
    )
    often: float = field(default=0.50, metadata={"help": "seconds"})
    some_name: str = field(default="x", metadata={"help": "what"})
    maybe: str | None = field(default=None, metadata={"help": "may be"})
    longer_than_its_column: str | None = field(
        default=None,
        metadata={"help": "where it finds the edge, as tcp:brxy-edge.example.net:9080"},
    )
    unsaid: list[str] = field(factory=list)


class _Factory:
    """
    What is described.
    """

    name = "other than it is found by"
    summary = "runs things there"
    options: Any = _Options


class DescribeTests(SynchronousTestCase):
    """
    Tests of L{describeSpawners}.
    """

    def describe(self, *broken: str, **factories: Any) -> list[str]:
        """
        @return: the lines of the description.
        """
        return describeSpawners(factories, broken).splitlines()

    def test_whole(self) -> None:
        """
        A spawner is described by its summary and its keys: what they mean, and
        their defaults, or that they are required.
        """
        lines = self.describe(there=_Factory())
        self.assertEqual(
            lines[:14],
            [
                "Values of --spawn: NAME: key=value ... -- command",
                "",
                "there: runs things there",
                "  where=                the place; it has a meaning that takes some words to",
                "                        say [required]",
                "  often=                seconds [default: 0.5]",
                "  some-name=            what [default: x]",
                "  maybe=                may be",
                "  longer-than-its-column= where it finds the edge, as",
                "                        tcp:brxy-edge.example.net:9080",
                "  unsaid=",
                "",
                "Keys of every spawner:",
                "  route=                the host that is served, or a pattern such as",
            ],
        )
        self.assertNotIn("Spawners that can't be used:", lines)

    def test_sorted(self) -> None:
        """
        They come in the order of their names.
        """
        lines = self.describe(b=_Factory(), a=_Factory())
        self.assertEqual([each[:2] for each in lines if "runs" in each], ["a:", "b:"])

    def test_broken(self) -> None:
        """
        Those that can't be used are named, and so is one that can't even be
        described.
        """
        bad = _Factory()
        bad.options = None
        lines = self.describe("x is broken", bad=bad, good=_Factory())
        self.assertIn("good: runs things there", lines)
        start = lines.index("Spawners that can't be used:")
        self.assertEqual(lines[start + 1], "  x is broken")
        self.assertTrue(lines[start + 2].startswith("  the spawner 'bad' can't be described: "))
