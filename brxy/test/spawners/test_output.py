"""
Tests of L{brxy.spawners.output}.
"""

from __future__ import annotations

import io
from typing import Any

from twisted.logger import Logger, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from brxy.spawners.output import OutputLogger

__all__ = ["OutputLoggerTests"]


class OutputLoggerTests(SynchronousTestCase):
    """
    Tests of L{OutputLogger}.
    """

    def test_file(self) -> None:
        """
        In a file what is not printable is escaped, and a line comes once, when it has its end.
        """
        file = io.StringIO()
        observer: Any = textFileLogObserver(file)
        output = OutputLogger(Logger(namespace="n", observer=observer), "t")
        output.progress(1, b"\r1%")
        output(1, b"\r1%\r2%\t\x1b[31mred\xff")
        self.assertEqual(
            file.getvalue().partition(" ")[2], "[n#info] t| \\r1%\\r2%\t\\x1b[31mred\\xff\n"
        )
