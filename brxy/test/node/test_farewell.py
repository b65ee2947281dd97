"""
Tests of L{brxy.node.farewell}.
"""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from brxy.node.farewell import reportEnd
from brxy.node.settings import NodeSettings
from brxy.test.support.memory.network import FakeApp, FakeReactor
from brxy.wire.frames import HELLO, MAX_TEXT, VERSION
from brxy.wire.greeting import Hello, Welcome

_SETTINGS = NodeSettings("tcp:edge:1", "r", 3, ticket="t", token="secret", generation=7)


class ReportTests(SynchronousTestCase):
    """
    Tests of L{reportEnd}.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.events = self.enterContext(capturedLogs())

    def begin(self, reason: str = "exit status 0") -> None:
        """
        Begin to report.
        """
        self.reported = reportEnd(self.reactor, _SETTINGS, reason)

    def accept(self) -> tuple[FakeApp, Hello]:
        """
        @return: an edge, and what it has read.
        """
        edge = self.reactor.accept()
        [(kind, _, payload)] = edge.end.other.frames()
        self.assertEqual(kind, HELLO)
        return edge, Hello.decode(payload)

    def warned(self) -> list[str | None]:
        """
        @return: the log.
        """
        return [formatEvent(event) for event in self.events if event["log_level"].name == "warn"]

    def test_reported(self) -> None:
        """
        The edge gets the reason with the ticket, and closes the slot.
        """
        self.begin()
        edge, hello = self.accept()
        self.assertEqual((hello.ticket, hello.token, hello.route), ("t", "secret", "r"))
        self.assertEqual(hello.ended, "exit status 0")
        self.assertNoResult(self.reported)
        edge.end.abortConnection()
        edge.end.other.deliver()
        self.assertIsNone(self.successResultOf(self.reported))
        self.assertEqual(self.warned(), [])

    def test_olderEdge(self) -> None:
        """
        An edge that does not know the field admits the node, which closes the slot.
        """
        self.begin()
        edge, _ = self.accept()
        edge.end.write(Welcome(VERSION, "edge", 7, True).encode())
        edge.end.other.deliver()
        self.assertIsNone(self.successResultOf(self.reported))
        self.assertEqual(self.warned(), [])

    def test_anyReason(self) -> None:
        """
        A reason is made to fit.
        """
        self.begin("caf\u00e9 " + "x" * 1000)
        hello = self.accept()[1]
        self.assertEqual(hello.ended, ("caf\\xe9 " + "x" * 1000)[:MAX_TEXT])

    def test_noEdge(self) -> None:
        """
        Without an edge that is reported in the log, and the node goes on to end.
        """
        self.begin()
        self.reactor.refuse()
        self.assertIsNone(self.successResultOf(self.reported))
        [line] = self.warned()
        self.assertIn("can't report the end of the app to the edge at tcp:edge:1: ", line or "")

    def test_silentEdge(self) -> None:
        """
        An edge that does not answer is not waited for longer than 3 s.
        """
        self.begin()
        self.accept()
        self.reactor.advance(2.9)
        self.assertNoResult(self.reported)
        self.reactor.advance(0.2)
        self.assertIsNone(self.successResultOf(self.reported))
        self.assertEqual(len(self.warned()), 1)
