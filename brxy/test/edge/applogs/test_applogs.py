"""
Tests of L{brxy.edge.applogs.applogs}.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.accesslog.writer import PAUSE
from brxy.edge.applogs.applogs import AppLogs, openAppLogs
from brxy.edge.applogs.events import OutputLost
from brxy.edge.events import Event, Events, Gone, Ordered
from brxy.errors import UsageError
from brxy.spawners.output import OutputLogger

__all__ = ["AppLogsTests"]


class AppLogsTests(SynchronousTestCase):
    """
    Tests of L{AppLogs}.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, self.folder)
        self.clock = Clock()
        self.publisher = LogPublisher()
        self.emitted: list[Event] = []
        self.runs = 0
        self.logs = AppLogs(
            str(self.folder),
            lambda event: f"{event['ticket']} {event['line']}\n",
            Events([self.emitted.append]),
            seconds=self.clock.seconds,
            later=self.clock.callLater,
            run=self.perform,
            publisher=self.publisher,
        )

    def perform(self, call: Callable[[], None]) -> Deferred[Any]:
        """
        Run something at once.
        """
        self.runs += 1
        return execute(call)

    def say(self, ticket: str, *lines: bytes) -> None:
        """
        An instance prints lines, and they are written.
        """
        output = OutputLogger(Logger(observer=self.publisher), ticket)
        for line in lines:
            output(1, line)
            output.progress(1, b"50%")
        self.clock.advance(PAUSE)

    def files(self) -> dict[str, str]:
        """
        The contents of the files.
        """
        return {each.name: each.read_text() for each in self.folder.iterdir()}

    def test_routes(self) -> None:
        """
        Each route has a file, in which its instances stand one after another; other messages
        are not in it.
        """
        for route, ticket in ("a", "t1"), ("a", "t2"), ("b", "t3"):
            self.logs.happened(Ordered(route, ticket))
        self.say("t1", b"1", b"2")
        self.say("t2", b"3")
        self.say("t3", b"\x1b4")
        Logger(observer=self.publisher).info("a/t1: ready")
        self.say("unknown", b"5")
        self.assertEqual(self.files(), {"a.log": "t1 1\nt1 2\nt2 3\n", "b.log": "t3 \\x1b4\n"})

    def test_gone(self) -> None:
        """
        What an instance has printed last is written, even if it came after its end.
        """
        self.logs.happened(Ordered("a", "t1"))
        self.say("t1", b"1")
        self.logs.happened(Gone("a", "t1", "killed"))
        self.say("t1", b"2")
        self.logs.happened(Ordered("a", "t2"))
        self.say("t2", b"3")
        self.assertEqual(self.files(), {"a.log": "t1 1\nt1 2\nt2 3\n"})

    def test_rotate(self) -> None:
        """
        New files begin together.
        """
        self.logs.happened(Ordered("a", "t1"))
        self.say("t1", b"1")
        self.logs.rotate()
        self.say("t1", b"2")
        self.assertEqual(self.files(), {"a.log": "t1 2\n", "a.log.1": "t1 1\n"})

    def test_stop(self) -> None:
        """
        At the end all lines are written, and later ones are not.
        """
        self.logs.happened(Ordered("a", "t1"))
        OutputLogger(Logger(observer=self.publisher), "t1")(1, b"1")
        self.successResultOf(self.logs.stop())
        self.say("t1", b"2")
        self.assertEqual(self.files(), {"a.log": "t1 1\n"})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """
        What can't be written is an event, at most once a minute.
        """
        (self.folder / "a.log").mkdir()
        self.logs.happened(Ordered("a", "t1"))
        self.say("t1", b"1", b"2")
        self.say("t1", b"3")
        self.assertEqual(self.emitted, [OutputLost("a", 2, "Is a directory")])
        self.clock.advance(60)
        self.say("t1", b"4")
        self.assertEqual(self.emitted[1:], [OutputLost("a", 2, "Is a directory")])

    def test_noFolder(self) -> None:
        """
        A folder that can't be made is an error.
        """
        (self.folder / "file").touch()
        error = self.assertRaises(
            UsageError, openAppLogs, self.clock, f"{self.folder}/file/x", str, Events()
        )
        self.assertRegex(str(error), r"^--app-log-dir \S+/file/x: Not a directory$")
