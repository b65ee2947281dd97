"""
Tests of L{brxy.program.logs}.
"""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.eventlog import LogListener
from brxy.edge.events import Ready, StartFailed
from brxy.program.logs import LineLog, jsonLine, textLine
from brxy.spawners.output import OutputLogger

__all__ = ["LogsTests"]


class _Full(io.StringIO):
    """
    A file on a full disk.
    """

    def write(self, text: str) -> int:
        raise OSError


class LogsTests(SynchronousTestCase):
    """
    Tests of the forms of a log.
    """

    def setUp(self) -> None:
        self.file = io.StringIO()

    def log(self, line: Any) -> Logger:
        """
        @return: what logs in a form.
        """
        observer: Any = LineLog(self.file, line)
        return Logger(namespace="brxy.edge", observer=observer)

    def objects(self) -> list[dict[str, Any]]:
        """
        The lines as objects, without their times.
        """
        found = [json.loads(line) for line in self.file.getvalue().splitlines()]
        for each in found:
            self.assertRegex(each.pop("ts"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        return found

    def test_text(self) -> None:
        """
        A line has the time, the level and the text.
        """
        LogListener(self.log(textLine))(StartFailed("r", "t", "no such file"))
        pattern = r"^\d{4}-\d\d-\d\dT\S+ warn r: cannot start an instance: no such file\n$"
        self.assertRegex(self.file.getvalue(), pattern)

    def test_traceback(self) -> None:
        """
        A traceback has lines of its own in text, and none in JSON.
        """
        for line in (textLine, jsonLine):
            log = self.log(line)
            try:
                raise ValueError("wrong")
            except ValueError:
                log.failure("a defect")
        text, _, last = self.file.getvalue().rstrip("\n").rpartition("\n")
        self.assertRegex(text, r"^\S+ critical a defect\n\tTraceback ")
        found = json.loads(last)
        self.assertEqual(found["level"], "critical")
        self.assertIn("ValueError: wrong", found["message"])

    def test_event(self) -> None:
        """
        An event has its name and its fields.
        """
        LogListener(self.log(jsonLine))(Ready("r", "t", 0.12345))
        self.assertEqual(
            self.objects(),
            [
                {
                    "level": "info",
                    "event": "ready",
                    "route": "r",
                    "ticket": "t",
                    "seconds": 0.123,
                    "message": "r/t: ready after 0.123 s",
                }
            ],
        )

    def test_others(self) -> None:
        """
        Other messages have their text only, whatever objects they have.
        """
        self.log(jsonLine).emit(LogLevel.error, "no {what}", what=object)
        ((found),) = self.objects()
        self.assertEqual(set(found), {"level", "message"})
        self.assertEqual(found["level"], "error")

    def test_output(self) -> None:
        """
        What an instance prints has its ticket, and is escaped; progress has no line.
        """
        for line in (textLine, jsonLine):
            output = OutputLogger(self.log(line), "t")
            output.progress(1, b"50%")
            output(1, b"a\x1bb")
        text, _, rest = self.file.getvalue().partition("\n")
        self.assertTrue(text.endswith(" info t| a\\x1bb"), text)
        self.file = io.StringIO(rest)
        expected = {"level": "info", "event": "output", "ticket": "t", "message": "a\\x1bb"}
        self.assertEqual(self.objects(), [expected])

    def test_fullDisk(self) -> None:
        """
        What can't be written is lost, and hurts nothing.
        """
        self.file = _Full()
        self.log(textLine).info("hello")
