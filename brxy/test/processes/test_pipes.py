"""
Tests of L{brxy.processes.pipes}.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from brxy.processes.pipes import MAX_LINE, LineReader, LineSplitter
from brxy.test.support.memory.examples import bounded


def split(*chunks: bytes) -> list[bytes]:
    """
    All lines of what comes in these chunks.
    """
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.finish()


class LineSplitterTests(SynchronousTestCase):
    """
    Tests of L{LineSplitter}.
    """

    def test_lines(self) -> None:
        """
        Lines come without their ends, C{\\r\\n} or C{\\n}, empty ones too.
        """
        self.assertEqual(split(b"one\n\ntwo\r\nthree\n"), [b"one", b"", b"two", b"three"])

    def test_unfinished(self) -> None:
        """
        A line without an end is held back until the end of all.
        """
        splitter = LineSplitter()
        self.assertEqual(splitter.feed(b"no end"), [])
        self.assertEqual(splitter.feed(b" yet"), [])
        self.assertEqual(splitter.finish(), [b"no end yet"])
        self.assertEqual(splitter.finish(), [])

    def test_tooLong(self) -> None:
        """
        A line that is too long comes in pieces, before its end is there.
        """
        splitter = LineSplitter()
        self.assertEqual(splitter.feed(b"a" * (2 * MAX_LINE + 1)), [b"a" * MAX_LINE] * 2)
        self.assertEqual(splitter.feed(b"b\nc\n"), [b"ab", b"c"])

    def test_progress(self) -> None:
        """
        A line that has no end yet is progress if it is written over.
        """
        splitter = LineSplitter()
        for chunk, expected in (
            (b"a", b""),
            (b"\r", b"a\r"),
            (b"b", b"a\rb"),
            (b"c\nd", b""),
            (b"\r\n", b""),
            (b"\re", b"\re"),
        ):
            splitter.feed(chunk)
            self.assertEqual(splitter.progress(), expected)

    @bounded(100)
    @given(
        st.lists(
            st.one_of(
                st.sampled_from([b"\n", b"\r\n", b"\r"]),
                st.binary(max_size=5),
                st.integers(MAX_LINE - 2, MAX_LINE + 2).map(lambda size: b"x" * size),
            ),
            max_size=12,
        )
    )
    def test_anySplit(self, chunks: list[bytes]) -> None:
        """
        However the bytes are cut, the same lines come of them, none too long.
        """
        lines = split(*chunks)
        self.assertEqual(lines, split(b"".join(chunks)))
        self.assertLessEqual(max(map(len, lines), default=0), MAX_LINE)


class _Reactor(Clock):
    """
    Knows the readers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.addReader = self.readers.add
        self.removeReader = self.readers.discard


class LineReaderTests(SynchronousTestCase):
    """
    Tests of L{LineReader}.
    """

    def setUp(self) -> None:
        self.reactor = _Reactor()
        self.lines: list[bytes] = []
        reading, self.writing = os.pipe()
        self.reader = LineReader(self.reactor, reading, self.lines.append)
        self.addCleanup(self.reader.close)

    def test_interface(self) -> None:
        """
        It is an L{IReadDescriptor}.
        """
        self.addCleanup(os.close, self.writing)
        verifyObject(IReadDescriptor, self.reader)

    def test_reads(self) -> None:
        """
        It delivers lines as they come, and goes on when there is nothing.
        """
        self.addCleanup(os.close, self.writing)
        os.write(self.writing, b"one\ntw")
        self.reader.doRead()
        self.reader.doRead()
        self.assertEqual(self.lines, [b"one"])
        self.assertEqual(self.reactor.readers, {self.reader})

    def test_end(self) -> None:
        """
        At the end of the pipe it delivers the rest, and closes.
        """
        os.write(self.writing, b"one\ntwo")
        os.close(self.writing)
        self.reader.doRead()
        self.reader.doRead()
        self.assertEqual(self.lines, [b"one", b"two"])
        self.assertEqual(self.reactor.readers, set())
        self.assertEqual(self.reader.fileno(), -1)

    def test_hangUp(self) -> None:
        """
        A hang-up that the reactor sees is the end too.
        """
        os.close(self.writing)
        self.reactor.removeReader(self.reader)
        self.reader.connectionLost(Failure(Exception("hang-up")))
        self.reactor.advance(0)
        self.assertEqual(self.reactor.readers, set())
        self.assertEqual(self.reader.fileno(), -1)

    def test_notOurHangUp(self) -> None:
        """
        A hang-up of another, that had our descriptor before, ends nothing.
        """
        self.addCleanup(os.close, self.writing)
        self.reactor.removeReader(self.reader)
        self.reader.connectionLost(Failure(Exception("hang-up")))
        self.reactor.advance(0)
        self.assertEqual(self.reactor.readers, {self.reader})

    def test_drain(self) -> None:
        """
        Draining takes all that a full pipe holds, and nothing once closed.
        """
        os.set_blocking(self.writing, False)
        printed = b"line\n" * 20_000
        written = os.write(self.writing, printed)
        self.reader.drain()
        os.close(self.writing)
        self.reader.close()
        self.reader.drain()
        self.assertEqual(self.lines, printed[:written].splitlines())
