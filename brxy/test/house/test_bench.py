"""
Tests of how benchmarks evaluate their measurements.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

if find_spec("benchmarks") is None:
    raise SkipTest("needs benchmarks/: run the tests in a checkout")

from benchmarks.http.contender import Contender, Running, Site
from benchmarks.http.load import LOADS
from benchmarks.http.memory import Held
from benchmarks.http.ours import ours
from benchmarks.http.servers import ROOT, BenchError
from benchmarks.http.syscalls import Calls, parseSummary
from benchmarks.http.wrk import Outcome
from benchmarks.leaving import Cell
from benchmarks.report.command import sayLeftOut
from benchmarks.report.figures import Row, Window, lowerQuartile, summary
from benchmarks.report.results import Results
from benchmarks.report.table import report, table


def _window(
    contender: str,
    number: int = 1,
    load: str = "c16",
    requests: int = 1000,
    p50: float = 0.001,
    **cpu: float,
) -> Window:
    """
    @return: a window of a second, in which a GiB was read.
    """
    outcome = Outcome(requests, 2**30, 1.0, errors=1, p50=p50, p99=0.002)
    return Window(LOADS[load], number, contender, cpu, outcome)


def _launch(name: str, site: Site) -> Running:
    """
    Fail, because these tests start no server.
    """
    raise NotImplementedError


def _only(rows: list[Row], contender: str) -> Row:
    """
    @return: the row of one contender.
    """
    (found,) = [row for row in rows if row.contender == contender]
    return found


class FiguresTests(SynchronousTestCase):
    """
    Tests of the figures of windows.
    """

    def test_cost(self) -> None:
        """
        The cost of a request is in CPU µs, of all processes or of one.
        """
        window = _window("a", edge=0.03, node=0.02)
        self.assertAlmostEqual(window.cost() or 0, 50)
        self.assertAlmostEqual(window.cost("node") or 0, 20)

    def test_costOfBytes(self) -> None:
        """
        The cost of bulk data is in CPU s for each GiB, however few responses
        were finished.
        """
        window = _window("a", load="bulk", requests=0, proxy=0.5)
        self.assertAlmostEqual(window.cost() or 0, 0.5)

    def test_noCost(self) -> None:
        """
        There is no cost without a process, or if no request was finished.
        """
        self.assertIsNone(_window("a").cost())
        self.assertIsNone(_window("a", requests=0, proxy=0.5).cost())

    def test_lowerQuartile(self) -> None:
        """
        A quarter of the values are below the lower quartile. That of one value
        is the value.
        """
        self.assertEqual(lowerQuartile([5, 1, 3, 2, 4]), 2)
        self.assertEqual(lowerQuartile([7]), 7)

    def test_summary(self) -> None:
        """
        The summary of all windows has quartile and median of the cost, its
        parts, and all errors.
        """
        windows = [
            _window("two", number, edge=edge, node=0.01)
            for number, edge in enumerate((0.01, 0.02, 0.03, 0.04, 0.09))
        ]
        (row,) = summary(windows, {})
        self.assertAlmostEqual(row.quartile or 0, 30)
        self.assertAlmostEqual(row.median or 0, 40)
        self.assertAlmostEqual(row.parts["edge"], 30)
        self.assertAlmostEqual(row.parts["node"], 10)
        self.assertEqual((row.errors, row.rate, row.ratio), (5, 1000, None))

    def test_ratio(self) -> None:
        """
        A cost is compared with that of the same round, so rounds in which
        everything was slow don't count more.
        """
        windows = []
        for number, (mine, theirs) in enumerate(((2, 1), (90, 30), (4, 4))):
            windows.append(_window("mine", number, proxy=mine / 100))
            windows.append(_window("theirs", number, proxy=theirs / 100))
        rows = summary(windows, {"mine": "theirs", "theirs": "theirs"})
        self.assertAlmostEqual(_only(rows, "mine").ratio or 0, 2)
        self.assertAlmostEqual(_only(rows, "theirs").ratio or 0, 1)

    def test_loadsApart(self) -> None:
        """
        Each load has rows of its own.
        """
        windows = [_window("a", load=load, proxy=0.1) for load in ("c1", "c16", "c1")]
        rows = summary(windows, {})
        self.assertEqual([row.load for row in rows], ["c1", "c16"])

    def test_noLatency(self) -> None:
        """
        Windows in which no request was finished have no latency.
        """
        windows = [_window("a", 1, requests=0, p50=0), _window("a", 2, p50=0.003)]
        (row,) = summary(windows, {})
        self.assertEqual(row.p50, 0.003)
        (row,) = summary(windows[:1], {})
        self.assertIsNone(row.p50)


class RequestTests(SynchronousTestCase):
    """
    Tests of the requests that the load sends.
    """

    def test_whole(self) -> None:
        """
        The request of each load is complete, with the body that it announces.
        """
        for load in LOADS.values():
            head, _, body = "1".join(load.request()).partition("\r\n\r\n")
            line, *fields = head.split("\r\n")
            values = dict(field.split(": ", 1) for field in fields)
            self.assertEqual(line, f"{load.method} {load.path}?n=1 HTTP/1.1")
            self.assertEqual(len(body), int(values.get("Content-Length", "0")))
            self.assertEqual(values["Connection"], "keep-alive" if load.keep else "close")
            self.assertEqual(values["Cookie"].startswith("session=1"), load.fresh)


class SyscallsTests(SynchronousTestCase):
    """
    Tests of how the output of strace is read.
    """

    def test_summary(self) -> None:
        """
        The summary counts the calls of each kind, with errors or without.
        """
        text = (
            "% time     seconds  usecs/call     calls    errors syscall\n"
            "------ ----------- ----------- --------- --------- ----------------\n"
            " 60.00    0.000600           2       300        20 recvfrom\n"
            " 40.00    0.000400           1       400           sendto\n"
            "------ ----------- ----------- --------- --------- ----------------\n"
            "100.00    0.001000           1       700        20 total\n"
        )
        self.assertEqual(parseSummary(text), {"recvfrom": 300, "sendto": 400})

    def test_nothing(self) -> None:
        """
        A process that did nothing has made no calls.
        """
        self.assertEqual(parseSummary(""), {})


class OursTests(SynchronousTestCase):
    """
    Tests for L{ours}.
    """

    def test_before(self) -> None:
        """
        Given another checkout, each of our contenders is compared with that of
        the other checkout.
        """
        there = {one.name: one.reference for one in ours(ROOT)}
        self.assertLess({one.name for one in ours(None)}, set(there))
        self.assertEqual(there["app-epoll"], "app-epoll-before")
        self.assertEqual(there["node-reactor"], "node-reactor-before")
        self.assertEqual(there["node-epoll-guarded"], "node-epoll-before")
        self.assertEqual(set(there.values()) - set(there), {"haproxy", "haproxy-haproxy"})

    def test_none(self) -> None:
        """
        A folder that is no checkout is refused.
        """
        error = self.assertRaises(BenchError, ours, ROOT / "doc")
        self.assertIn("no checkout of brxy: ", str(error))


class LeftOutTests(SynchronousTestCase):
    """
    Tests of L{sayLeftOut}.
    """

    def setUp(self) -> None:
        """
        Remove the variable that forbids to leave anything out.
        """
        self.said = StringIO()
        self.patch(sys, "stderr", self.said)
        self.patch(os, "environ", {})

    def test_said(self) -> None:
        """
        Each contender that is left out is reported in a line.
        """
        sayLeftOut(["A: it is not there", "B: nor this"])
        expected = "bench: left out: A: it is not there\nbench: left out: B: nor this\n"
        self.assertEqual(self.said.getvalue(), expected)

    def test_forbidden(self) -> None:
        """
        With BRXY_TEST_ALL=1 it is also an error to leave one out.
        """
        os.environ["BRXY_TEST_ALL"] = "1"
        sayLeftOut([])
        self.assertEqual(self.said.getvalue(), "")
        with self.assertRaisesRegex(BenchError, "BRXY_TEST_ALL=1"):
            sayLeftOut(["A: it is not there"])
        self.assertIn("A: it is", self.said.getvalue())


class ResultsTests(SynchronousTestCase):
    """
    Tests of the table, the report and the JSON file.
    """

    def setUp(self) -> None:
        """
        Make one window for each of two contenders.
        """
        self.results = Results(
            machine={"cores": "2"},
            contenders=[
                Contender("direct", "no proxy", None, _launch),
                Contender("a", "An A", "a", _launch),
            ],
            left_out=["B: it is not there"],
            windows=[_window("a", proxy=0.05), _window("direct")],
            calls=[Calls("a", "proxy", "c16", {"read": 2.0, "write": 1.5})],
            memory=[Held("a", "idle", 100, {"proxy": 2304.0})],
        )

    def test_table(self) -> None:
        """
        Columns are as wide as their widest cell, and text is aligned to the
        left.
        """
        text = table(["", "n", "t"], [["a", "10", "x"], ["bcd", "1", "yy"]], left=(0, 2))
        self.assertEqual(text, "      n  t\na    10  x\nbcd   1  yy")

    def test_report(self) -> None:
        """
        The report has all results, in the contenders' order.
        """
        text = report(self.results)
        places = [text.index(part) for part in ("no proxy", "An A", "3.50", "2.25", "B: it is")]
        self.assertEqual(places, sorted(places))
        self.assertIn("50.0", text)

    def test_json(self) -> None:
        """
        The JSON file can be read again, with all results.
        """
        file = Path(self.mktemp()) / "a.json"
        self.results.write(file)
        found = json.loads(file.read_text())
        self.assertEqual(found["windows"][0]["cpu"], {"proxy": 0.05})
        self.assertEqual(found["windows"][0]["load"], "c16")
        self.assertEqual({row["contender"] for row in found["summary"]}, {"a", "direct"})


class LeavingTests(SynchronousTestCase):
    """
    Tests of L{Cell}.
    """

    def test_text(self) -> None:
        """
        The median and the worst of the times, unless an app never knew.
        """
        self.assertEqual(Cell("slow", "close", [3.0, 1.0, 11.04]).text, "3.0 (11.0)")
        self.assertEqual(Cell("slow", "close", [3.0, None]).text, "never")
