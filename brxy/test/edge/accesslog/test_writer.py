"""
Tests of L{brxy.edge.accesslog.writer} and L{brxy.edge.accesslog.accesslog}.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.accesslog.accesslog import AccessLog
from brxy.edge.accesslog.writer import BATCH, MOST, PAUSE, BatchWriter
from brxy.edge.records.record import Record


class _Disk:
    """
    A file on a disk that takes as long as the test wants.

    @ivar done: what it was given, in order.
    """

    def __init__(self) -> None:
        self.done: list[str] = []
        self.error: OSError | None = None
        self._waiting: list[tuple[Callable[[], None], Deferred[None]]] = []

    def write(self, text: str) -> None:
        if self.error is not None:
            raise self.error
        self.done.append(text)

    def rotate(self) -> None:
        self.done.append("rotated")

    def run(self, call: Callable[[], None]) -> Deferred[None]:
        """
        Take a job.
        """
        result: Deferred[None] = Deferred()
        self._waiting.append((call, result))
        return result

    @property
    def busy(self) -> bool:
        """
        It has not finished its job.
        """
        return bool(self._waiting)

    def finish(self) -> None:
        """
        Finish the only job that it has.
        """
        ((call, result),) = self._waiting
        self._waiting.clear()
        try:
            call()
        except OSError:
            result.errback()
        else:
            result.callback(None)


def _lines(records: Sequence[Record], epoch: float) -> str:
    return "".join([f"{each.route} " for each in records])


class WriterTests(SynchronousTestCase):
    """
    Tests of L{BatchWriter}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.disk = _Disk()
        self.missing: list[tuple[int, str]] = []
        self.writer = BatchWriter(
            self.disk,
            self.clock.callLater,
            self.disk.run,
            lambda count, reason: self.missing.append((count, reason)),
        )

    def test_batch(self) -> None:
        """
        Lines that come one after another are written together.
        """
        self.writer.write("1\n", 1)
        self.clock.advance(PAUSE / 2)
        self.writer.write("2\n", 1)
        self.assertFalse(self.disk.busy)
        self.clock.advance(PAUSE / 2)
        self.disk.finish()
        self.assertEqual(self.disk.done, ["1\n2\n"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_large(self) -> None:
        """
        A large batch does not wait.
        """
        self.writer.write("x" * BATCH, 1)
        self.assertTrue(self.disk.busy)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_oneAtATime(self) -> None:
        """
        While a batch is written, lines wait, and keep their order.
        """
        self.writer.write("1\n", 1)
        self.clock.advance(PAUSE)
        self.writer.write("2\n", 1)
        self.clock.advance(PAUSE)
        self.disk.finish()
        self.clock.advance(PAUSE)
        self.disk.finish()
        self.assertEqual(self.disk.done, ["1\n", "2\n"])

    def test_slowDisk(self) -> None:
        """
        Behind a disk that stands still, lines are dropped and counted; no more than the
        limit is kept.
        """
        self.writer.write("x" * BATCH, 1)
        for _ in range(3):
            self.writer.write("y" * (MOST // 2), 1)
        self.writer.write("z", 1)
        self.assertEqual(self.missing, [])
        self.disk.finish()
        self.assertEqual(self.missing, [(2, "")])
        self.disk.finish()
        self.assertEqual([len(each) for each in self.disk.done], [BATCH, MOST])
        self.writer.write("more", 1)
        self.clock.advance(PAUSE)
        self.disk.finish()
        self.assertEqual(self.disk.done[-1], "more")

    def test_fullDisk(self) -> None:
        """
        What can't be written is reported, and later lines are tried.
        """
        self.writer.write("1\n", 1)
        self.writer.write("2\n", 1)
        self.clock.advance(PAUSE)
        self.disk.error = OSError(errno.ENOSPC, "No space left on device")
        self.disk.finish()
        self.assertEqual(self.missing, [(2, "No space left on device")])
        self.disk.error = None
        self.writer.write("3\n", 1)
        self.clock.advance(PAUSE)
        self.disk.finish()
        self.assertEqual(self.disk.done, ["3\n"])

    def test_rotate(self) -> None:
        """
        A new file begins behind the lines that came before.
        """
        self.writer.write("1\n", 1)
        self.writer.rotate()
        self.writer.write("2\n", 1)
        self.writer.rotate()
        self.disk.finish()
        self.disk.finish()
        self.assertEqual(self.disk.done, ["1\n", "rotated", "2\n", "rotated"])
        self.assertFalse(self.disk.busy)

    def test_stop(self) -> None:
        """
        At the end all lines are written.
        """
        self.successResultOf(self.writer.stop())
        self.writer.write("x" * BATCH, 1)
        self.writer.write("last", 1)
        stopped = self.writer.stop()
        self.disk.finish()
        self.assertNoResult(stopped)
        self.disk.finish()
        self.successResultOf(stopped)
        self.assertEqual(self.disk.done[-1], "last")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    # Which records have lines

    def test_sample(self) -> None:
        """
        Of warm exchanges that succeed a share is logged; of cold starts and failures, each.
        """
        log = AccessLog(self.writer, _lines, 0.25, lambda: 0.0)
        log([Record("warm", None, "", "http", 0.0, status=404)] * 8)
        log(
            [
                Record("cold", None, "", "http", 0.0, held_at=0.0, cold=True),
                Record("error", None, "", "http", 0.0, error="lost"),
                Record("500", None, "", "http", 0.0, status=500),
            ]
        )
        self.clock.advance(PAUSE)
        self.disk.finish()
        self.assertEqual(self.disk.done, ["warm " * 2 + "cold error 500 "])
