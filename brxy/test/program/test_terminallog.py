"""
Tests of L{brxy.program.terminallog}.
"""

from __future__ import annotations

import io
import re
from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from brxy.program.terminallog import TerminalLog
from brxy.spawners.output import OutputLogger

__all__ = ["TerminalLogTests"]

_CLEAR = "\r\x1b[K"


class TerminalLogTests(SynchronousTestCase):
    """
    Tests of L{TerminalLog}.
    """

    def log(self, namespace: str = "brxy.edge", **environ: str) -> Logger:
        """
        @return: what logs to a terminal that is 40 columns wide.
        """
        self.file = io.StringIO()
        observer: Any = TerminalLog(self.file, {"TERM": "xterm", **environ}, lambda: 40)
        return Logger(namespace=namespace, observer=observer)

    def written(self) -> str:
        """
        What was written, with C{T} for each time of day.
        """
        return re.sub(r"\d\d:\d\d:\d\d", "T", self.file.getvalue())

    def test_line(self) -> None:
        """
        A line has the time, the level and the text, on a line of its own.
        """
        log = self.log(NO_COLOR="1")
        log.info("{a} is ready", a="x")
        log.warn("careful")
        self.assertEqual(self.written(), f"{_CLEAR}T info  x is ready\n{_CLEAR}T warn  careful\n")

    def test_colours(self) -> None:
        """
        Each level has its colour, which ends before the text.
        """
        for level in LogLevel.iterconstants():
            self.log().emit(level, "text")
            self.assertRegex(
                self.written(), rf"\x1b\[2mT\x1b\[0m \x1b\[[\d;]+m{level.name} *\x1b\[0m text\n$"
            )

    def test_dumb(self) -> None:
        """
        A terminal that knows no sequences gets none.
        """
        for term in ("dumb", ""):
            log = self.log(TERM=term)
            log.info("text")
            OutputLogger(log, "t")(1, b"\x1b[31mred\x1b[0m")
            OutputLogger(log, "t").progress(1, b"\x1b[31m1%\r2%")
            self.assertEqual(self.written(), "T info  text\nT t| red\nt| 2%\r")

    def test_traceback(self) -> None:
        """
        A failure comes with its traceback.
        """
        log = self.log(NO_COLOR="1")
        try:
            raise ValueError("broken")
        except ValueError:
            log.failure("a defect")
        self.assertRegex(
            self.written(), r"(?s)T critical a defect\nTraceback .*ValueError: broken\n"
        )

    def test_twisted(self) -> None:
        """
        What twistd says of its start and end is left out, unless something is wrong.
        """
        log = self.log("twisted.scripts._twistd_unix.UnixAppLogger", NO_COLOR="1")
        log.info("twistd {version} starting up.", version=1)
        self.assertEqual(self.written(), "")
        log.warn("out of luck")
        self.assertEqual(self.written(), f"{_CLEAR}T warn  out of luck\n")
        log = self.log("log_legacy")
        for text in (
            "HTTPFactory starting on 8080",
            "HTTPFactory starting on '/run/x'",
            "(TCP Port 8080 Closed)",
            "(UNIX Port /run/x Closed)",
        ):
            log.info("{log_text}", log_text=text)
        self.assertEqual(self.written(), "")
        log.info("{log_text}", log_text="starting on time")
        self.assertIn("starting on time", self.written())

    def test_appColours(self) -> None:
        """
        The colours of an app stay and end with its line. All other sequences are escaped, as
        they could move the cursor.
        """
        output = OutputLogger(self.log(), "t")
        output(1, b"a\t\x1b[1;31mred\x1b[2J \x1b]0;title\x07")
        self.assertEqual(
            self.written(),
            f"{_CLEAR}\x1b[2mT\x1b[0m \x1b[36mt|\x1b[0m "
            "a\t\x1b[1;31mred\\x1b[2J \\x1b]0;title\\x07\x1b[0m\n",
        )

    def test_noColour(self) -> None:
        """
        C{NO_COLOR} removes the colours of apps, too.
        """
        output = OutputLogger(self.log(NO_COLOR="1"), "t")
        output(1, b"\x1b[1;31mred\x1b[0m")
        self.assertEqual(self.written(), f"{_CLEAR}T t| red\n")

    def test_progress(self) -> None:
        """
        Of a line that is written over, what it ends with is shown, no wider than the
        terminal. The next line takes its place.
        """
        output = OutputLogger(self.log(NO_COLOR="1"), "t")
        output.progress(2, b"\r10%\r20%" + b"#" * 40)
        output.progress(2, b"\r10%\r20%\r\x1b[32m30%\x1b[2J\r")
        output(2, b"\r10%\r20%\r30%\rdone")
        self.assertEqual(
            self.written(),
            f"{_CLEAR}t| 20%{'#' * 33}\r{_CLEAR}t| 30%\\x1b[2J\r{_CLEAR}T t| done\n",
        )

    def test_gone(self) -> None:
        """
        A terminal that has ended is no error.
        """
        log = self.log()

        def write(text: str) -> int:
            raise OSError(5, "Input/output error")

        self.file.write = write  # type: ignore[method-assign]
        log.info("text")
        self.assertEqual(self.flushLoggedErrors(), [])
