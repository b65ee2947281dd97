"""
Tests of the load of the queueing benchmark.
"""

from __future__ import annotations

from importlib.util import find_spec
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

if find_spec("benchmarks") is None:
    raise SkipTest("needs benchmarks/: run the tests in a checkout")

from benchmarks.http.servers import BenchError
from benchmarks.queueing.queueingload import LOAD, Request, body, oneQueue, requests


class RequestsTests(SynchronousTestCase):
    """
    Tests of L{requests}.
    """

    def test_load(self) -> None:
        """
        The requests keep the instances as busy as they should, and come in
        order.
        """
        work = requests(1, 500, 4, 0.02)
        self.assertEqual(len(work), 500)
        service = sum(request.service for request in work)
        self.assertAlmostEqual(service / (4 * work[-1].at), LOAD)
        self.assertEqual(work, sorted(work, key=lambda request: request.at))

    def test_seed(self) -> None:
        """
        The same seed makes the same requests.
        """
        self.assertEqual(requests(1, 50, 4, 0.02), requests(1, 50, 4, 0.02))
        self.assertNotEqual(requests(1, 50, 4, 0.02), requests(2, 50, 4, 0.02))


class OneQueueTests(SynchronousTestCase):
    """
    Tests of L{oneQueue}.
    """

    def test_waits(self) -> None:
        """
        A request that comes while all instances are busy waits for the first
        that becomes free.
        """
        work = [Request(0.0, 5.0), Request(1.0, 1.0), Request(1.5, 1.0), Request(9.0, 1.0)]
        self.assertEqual(oneQueue(work, 2), [5.0, 1.0, 1.5, 1.0])


class BodyTests(SynchronousTestCase):
    """
    Tests of L{body}.
    """

    WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n17\n"

    def test_parts(self) -> None:
        """
        There is a body once all of it has arrived.
        """
        for length in range(len(self.WHOLE)):
            self.assertIsNone(body(self.WHOLE[:length]))
        self.assertEqual(body(self.WHOLE), b"17\n")

    def test_bad(self) -> None:
        """
        A status other than 200 is an error, and so is a body without a length.
        """
        for bad in (self.WHOLE.replace(b"200", b"503"), self.WHOLE.replace(b"Length", b"Type")):
            with self.assertRaises(BenchError):
                body(bad)
