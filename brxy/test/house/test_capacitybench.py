"""
Tests of how the benchmark of learned capacities evaluates what it saw.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

if find_spec("benchmarks") is None:
    raise SkipTest("needs benchmarks/: run the tests in a checkout")

from benchmarks.capacity.capacity import settledAfter
from benchmarks.capacity.clients import Answer, Journal
from benchmarks.capacity.killing import wrongs


class JournalTests(SynchronousTestCase):
    """
    Tests of L{Journal}.
    """

    def test_read(self) -> None:
        """
        A request that ran twice has two times.
        """
        file = Path(self.mktemp())
        file.write_text("+ a 1.5\n+ b 1.6\n- a 1.7\n+ a 1.8\n")
        journal = Journal.read(file)
        self.assertEqual(journal.begun, {"a": [1.5, 1.8], "b": [1.6]})
        self.assertEqual(journal.ended, {"a": [1.7]})

    def test_missing(self) -> None:
        """
        An app that ran nothing has no journal.
        """
        self.assertEqual(Journal.read(Path(self.mktemp())), Journal())

    def test_at_once(self) -> None:
        """
        Of the requests in question, those that overlap are counted; one that begins as another
        one ends does not overlap it.
        """
        begun = {"a": [1.0], "b": [2.0], "c": [3.0], "d": [1.0]}
        journal = Journal(begun, {"a": [3.0], "b": [4.0], "c": [5.0]})
        self.assertEqual(journal.atOnce(["a", "b", "c"]), 2)
        self.assertEqual(journal.atOnce(["c", "a"]), 1)
        self.assertEqual(journal.atOnce([]), 0)


class SettledTests(SynchronousTestCase):
    """
    Tests of L{settledAfter}.
    """

    def test_settles(self) -> None:
        """
        The time is that from which on the number stays near the true one; one look that
        differs counts for nothing.
        """
        counts = [(at / 10, 8 if at < 20 else 5 if at == 30 else 4) for at in range(60)]
        self.assertEqual(settledAfter(counts, 4), 2.0)

    def test_never(self) -> None:
        """
        A number that differs in the end has not settled.
        """
        counts = [(at / 10, 4 if at < 20 else 8) for at in range(60)]
        self.assertIsNone(settledAfter(counts, 4))
        self.assertIsNone(settledAfter([], 4))


class WrongsTests(SynchronousTestCase):
    """
    Tests of L{wrongs}.
    """

    journal = Journal({"a": [1.0], "b": [1.0, 2.0], "c": [1.0]}, {"a": [2.0], "b": [1.5, 2.5]})

    def _wrongs(self, name: str, status: int, *kills: float, cut: bool = False) -> int:
        answer = Answer(name, 0.5, 3.0, status, cut=cut)
        return len(wrongs([answer], self.journal, kills))

    def test_good(self) -> None:
        """
        A request may run to its end and be answered by 200, or be answered by 502 as an app was
        killed, whether it had begun or not.  The response of one that had begun may be cut then.
        """
        self.assertEqual(self._wrongs("a", 200), 0)
        self.assertEqual(self._wrongs("c", 502, 2.9), 0)
        self.assertEqual(self._wrongs("d", 502, 2.9), 0)
        self.assertEqual(self._wrongs("c", 200, 2.9, cut=True), 0)

    def test_wrong(self) -> None:
        """
        Everything else is wrong.
        """
        self.assertEqual(self._wrongs("b", 200), 1)
        self.assertEqual(self._wrongs("c", 200), 1)
        self.assertEqual(self._wrongs("c", 502), 1)
        self.assertEqual(self._wrongs("c", 502, 1.0, 3.5), 1)
        self.assertEqual(self._wrongs("d", 503, 2.9), 1)
        self.assertEqual(self._wrongs("d", 0), 1)
        self.assertEqual(self._wrongs("c", 200, cut=True), 1)
        self.assertEqual(self._wrongs("d", 200, 2.9, cut=True), 1)
