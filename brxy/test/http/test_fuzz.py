"""
Tests with the seeds of the fuzzers and with what fuzzers have found: the same
properties must hold for these inputs in each run of the tests, without a
fuzzer.
"""

from __future__ import annotations

from importlib.util import find_spec
from unittest import SkipTest

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadRequest
from brxy.test.support.memory.examples import bounded

if find_spec("fuzz") is None:
    raise SkipTest("needs fuzz/: run the tests in a checkout")

from fuzz.corpus import kept
from fuzz.incremental import checkPrefixes, feed, pieces
from fuzz.targets import TARGETS


class CorpusTests(SynchronousTestCase):
    """
    Tests of all inputs that are kept for fuzzers.
    """

    def test_holds(self) -> None:
        """
        No input shows a bug.
        """
        for name, target in TARGETS.items():
            inputs = [*target.seeds(), *kept(name)]
            for data in inputs:
                try:
                    target.check(data)
                except Exception as error:
                    self.fail(f"{name}: {data!r}: {error!r}")

    def test_small(self) -> None:
        """
        Each target has inputs, and none is larger than a fuzzer accepts.
        """
        for name, target in TARGETS.items():
            lengths = [len(data) for data in kept(name)]
            self.assertTrue(0 < max(lengths) <= target.longest, name)


class _Reader:
    """
    A reader of heads that consist of one line. If it is faulty, its result
    depends on the pieces.
    """

    def __init__(self, wrong: str) -> None:
        self._wrong = wrong

    def __call__(self, data: bytes) -> tuple[bytes, int] | None:
        end = data.find(b"\n")
        if self._wrong == "behind" and end >= 0:
            return data, end + 1
        if self._wrong == "forgets" and data == b"a":
            raise BadRequest(400, "no a")
        return (data[:end], end + 1) if end >= 0 else None


class CheckTests(SynchronousTestCase):
    """
    Tests of the checks themselves: they find errors.
    """

    def test_right(self) -> None:
        """
        A correct reader passes.
        """
        self.assertEqual(checkPrefixes(_Reader(""), b"abc\nd"), (b"abc", 4))
        self.assertIsNone(checkPrefixes(_Reader(""), b"abc"))

    def test_wrong(self) -> None:
        """
        A faulty reader fails, in each way in which it can be faulty.
        """
        for wrong in ("behind", "forgets"):
            self.assertRaises(AssertionError, checkPrefixes, _Reader(wrong), b"abc\nd")
        self.assertRaises(AssertionError, checkPrefixes, _Reader("forgets"), b"abc")

    def test_keeps(self) -> None:
        """
        A body that keeps too many bytes fails.
        """

        class Keeping:
            done = False

            def feed(self, data: bytes) -> tuple[bytes, bytes]:
                return b"", b""

        self.assertEqual(feed(Keeping(), [b"ab"], 2), (b"", b"", False))
        self.assertRaises(AssertionError, feed, Keeping(), [b"ab", b"c"], 2)

    @bounded(50)
    @given(st.binary(max_size=30), st.integers(1, 40))
    def test_pieces(self, data: bytes, size: int) -> None:
        """
        The pieces together are the whole input.
        """
        parts = pieces(data, size)
        self.assertEqual(b"".join(parts), data)
        self.assertTrue(all(len(part) <= size for part in parts))
