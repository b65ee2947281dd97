"""
Tests of L{brxy.spawners.api.bodies}: answers of daemons as they come.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.spawners.api.bodies import Body, Lines, Whole
from brxy.spawners.api.errors import DaemonError, Unreachable


class BodyTests(SynchronousTestCase):
    """
    Tests of L{Lines}, L{Whole} and L{DaemonError}.
    """

    @given(st.lists(st.integers(0, 30)))
    def test_split(self, cuts: list[int]) -> None:
        """
        However a stream arrives, its objects are the same.
        """
        data = b'{"a": 1}\n\n{"b": "\xc3\xa4"}\n{"c"'
        got: list[Any] = []
        lines = Lines(got.append, 99)
        edges = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
        for start, end in zip(edges, edges[1:], strict=False):
            lines(data[start:end])
        self.assertEqual(got, [{"a": 1}, {"b": "ä"}])

    def test_bounds(self) -> None:
        """
        What does not end is not kept.
        """
        piece = bytes(5 << 20)
        for taker in (Lines(lambda _: None, 8 << 20), Whole(8 << 20)):
            taker(piece)
            self.assertRaises(DaemonError, taker, piece)

    def test_garbage(self) -> None:
        """
        What is no JSON is an error of its own.
        """
        self.assertRaises(DaemonError, Lines(lambda _: None, 99), b"hello\n")

    def test_message(self) -> None:
        """
        A message is one bounded line, with nothing that moves a cursor.
        """
        text = "a\r\nb\x1b[2J" + "c" * 999
        self.assertEqual(str(DaemonError(text)), r"a b\x1b[2J" + "c" * 290)

    def test_noObject(self) -> None:
        """
        Nor is JSON of something else than an object what a stream has.
        """
        self.assertRaises(DaemonError, Lines(lambda _: None, 99), b"1\n")

    def test_silence(self) -> None:
        """
        A stream that may not be silent for long breaks when it is.
        """
        clock = Clock()
        body = Body(lambda _: None)
        body.limitSilence(clock, 3)
        clock.advance(2)
        body.dataReceived(b"a")
        clock.advance(2)
        self.assertNoResult(body.over)
        clock.advance(1)
        error = self.failureResultOf(body.over, Unreachable).value
        self.assertEqual(str(error), "it said nothing for 3 s")

    def test_receiverFails(self) -> None:
        """
        What a receiver raises ends the body, and nothing more is passed on.
        """
        got: list[bytes] = []

        def receive(data: bytes) -> None:
            got.append(data)
            raise DaemonError("no")

        body = Body(receive)
        body.dataReceived(b"a")
        body.dataReceived(b"b")
        body.connectionLost()
        self.failureResultOf(body.over, DaemonError)
        self.assertEqual(got, [b"a"])
