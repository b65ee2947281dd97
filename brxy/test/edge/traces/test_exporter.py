"""
Tests of L{brxy.edge.traces.exporter}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.traces.environment import TraceSettings
from brxy.edge.traces.exporter import Answer, Exporter

DONE = Answer()
BUSY = Answer("busy", again=True)


class _Collector:
    """
    Takes spans when the test wants.

    @ivar sent: what it got, without the one that waits.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed = False
        self._waiting: list[tuple[bytes, Deferred[Answer]]] = []

    async def send(self, body: bytes) -> Answer:
        answer: Deferred[Answer] = Deferred()
        self._waiting.append((body, answer))
        return await answer

    async def close(self) -> None:
        self.closed = True

    @property
    def busy(self) -> bool:
        return bool(self._waiting)

    def answer(self, answer: Answer = DONE) -> str:
        """
        Answer the only request.

        @return: its body.
        """
        ((body, waiting),) = self._waiting
        self._waiting.clear()
        waiting.callback(answer)
        return body.decode()


class ExporterTests(SynchronousTestCase):
    """
    Tests of L{Exporter}.
    """

    def export(self, **settings: Any) -> Exporter:
        given = {"delay": 5.0, "batch": 3, "queue": 6, "export_timeout": 30.0, **settings}
        self.clock = Clock()
        self.collector = _Collector()
        self.reports: list[tuple[int, str]] = []
        return Exporter(
            self.clock,
            TraceSettings("http://c/", **given),
            ("<", ">"),
            self.collector,
            lambda *what: self.reports.append(what),
        )

    def test_delay(self) -> None:
        """
        Spans wait for others, and go together.
        """
        exporter = self.export()
        exporter.add(["1"])
        self.clock.advance(4.9)
        exporter.add(["2"])
        self.assertFalse(self.collector.busy)
        self.clock.advance(0.1)
        self.assertEqual(self.collector.answer(), "<1,2>")
        self.clock.advance(60)
        self.assertEqual((self.collector.busy, self.clock.getDelayedCalls()), (False, []))
        exporter.add(["3"])
        self.clock.advance(5)
        self.assertEqual(self.collector.answer(), "<3>")
        self.assertEqual((exporter.dropped, self.reports), (0, []))

    def test_batches(self) -> None:
        """
        A full batch goes at once, and the next one after the answer.
        """
        exporter = self.export()
        exporter.add(["1", "2"])
        exporter.add(["3", "4"])
        exporter.add(["5", "6"])
        self.assertEqual(self.collector.answer(), "<1,2,3>")
        self.assertEqual(self.collector.answer(), "<4,5,6>")
        self.assertFalse(self.collector.busy)
        exporter.add(["7"])
        self.clock.advance(5)
        self.assertEqual(self.collector.answer(), "<7>")

    def test_full(self) -> None:
        """
        The queue has an end.  What is dropped is reported once the batch is through.
        """
        exporter = self.export()
        exporter.add(["1", "2", "3"])
        self.assertEqual(exporter.room, 6)
        exporter.add(["4", "5", "6", "7", "8"])
        self.assertEqual(exporter.room, 1)
        exporter.drop(2)
        self.assertEqual((exporter.dropped, self.reports), (2, []))
        self.collector.answer()
        self.assertEqual(self.reports, [(2, "more were made than the collector took")])

    def test_again(self) -> None:
        """
        After a failure the same spans go again, after pauses that grow.
        """
        exporter = self.export()
        exporter.add(["1", "2", "3"])
        for pause in (1, 2, 4, 8):
            self.assertEqual(self.collector.answer(BUSY), "<1,2,3>")
            self.clock.advance(pause * 0.49)
            self.assertFalse(self.collector.busy)
            self.clock.advance(pause * 0.52)
        self.assertEqual(self.collector.answer(), "<1,2,3>")
        self.assertEqual((exporter.dropped, self.reports), (0, []))

    def test_tooLate(self) -> None:
        """
        The same spans go again for a limited time only, and the next ones follow.
        """
        exporter = self.export(export_timeout=10.0)
        exporter.add(["1", "2", "3"])
        while not self.reports:
            if self.collector.busy:
                self.collector.answer(BUSY)
            self.clock.advance(0.5)
            self.assertLess(self.clock.seconds(), 20)
        self.assertEqual((exporter.dropped, self.reports), (3, [(3, "busy")]))
        exporter.add(["4", "5", "6"])
        self.assertEqual(self.collector.answer(), "<4,5,6>")

    def test_retryAfter(self) -> None:
        """
        The collector's own pause is kept, also by the next spans if it is too long for these.
        """
        exporter = self.export()
        exporter.add(["1", "2", "3"])
        self.collector.answer(Answer("busy", again=True, retry_after=20.0))
        self.clock.advance(19.9)
        self.assertFalse(self.collector.busy)
        self.clock.advance(0.1)
        exporter.add(["4", "5", "6"])
        self.assertEqual(
            self.collector.answer(Answer("busy", again=True, retry_after=20.0)), "<1,2,3>"
        )
        self.assertEqual(exporter.dropped, 3)
        self.clock.advance(19.9)
        self.assertFalse(self.collector.busy)
        self.clock.advance(0.1)
        self.assertEqual(self.collector.answer(), "<4,5,6>")

    def test_refused(self) -> None:
        """
        What the collector refuses for good is not sent again.
        """
        exporter = self.export()
        exporter.add(["1", "2", "3"])
        self.collector.answer(Answer("the collector answered 400"))
        self.assertFalse(self.collector.busy)
        self.assertEqual(self.reports, [(3, "the collector answered 400")])
        exporter.add(["4", "5", "6"])
        self.collector.answer(Answer(rejected=2))
        self.assertEqual(exporter.dropped, 5)

    def test_reports(self) -> None:
        """
        There is one report a minute, with all that was dropped since, and a last one.
        """
        exporter = self.export()
        for _ in range(3):
            exporter.add(["1", "2", "3"])
            self.collector.answer(Answer("no"))
            self.clock.advance(20)
        self.assertEqual(self.reports, [(3, "no")])
        exporter.add(["1", "2", "3"])
        self.collector.answer(Answer("no"))
        self.assertEqual(self.reports[1:], [(9, "no")])
        exporter.add(["4"])
        self.successResultOf(self.stopping(exporter, Answer("gone")))
        self.assertEqual(self.reports[2:], [(1, "gone")])

    def stopping(self, exporter: Exporter, *answers: Answer) -> Deferred[None]:
        stopped = Deferred.fromCoroutine(exporter.stop())
        for each in answers:
            self.collector.answer(each)
        return stopped

    def test_stop(self) -> None:
        """
        At the end all that waits is sent at once, and nothing twice.
        """
        exporter = self.export()
        exporter.add(["1", "2"])
        stopped = Deferred.fromCoroutine(exporter.stop())
        self.assertEqual(self.collector.answer(), "<1,2>")
        self.successResultOf(stopped)
        self.assertTrue(self.collector.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopWhileSending(self) -> None:
        """
        What is being sent is waited for, before the rest.
        """
        exporter = self.export()
        exporter.add(["1", "2", "3", "4"])
        stopped = Deferred.fromCoroutine(exporter.stop())
        self.assertEqual(self.collector.answer(), "<1,2,3>")
        self.assertNoResult(stopped)
        self.assertEqual(self.collector.answer(), "<4>")
        self.successResultOf(stopped)

    def test_stopInPause(self) -> None:
        """
        A pause after a failure ends at once, and there is one more attempt.
        """
        exporter = self.export()
        exporter.add(["1", "2", "3"])
        self.collector.answer(BUSY)
        self.successResultOf(self.stopping(exporter, BUSY))
        self.assertEqual(self.reports, [(3, "busy")])

    def test_stopWithout(self) -> None:
        """
        Without spans there is nothing to wait for.
        """
        self.successResultOf(self.stopping(self.export()))
        self.assertTrue(self.collector.closed)
