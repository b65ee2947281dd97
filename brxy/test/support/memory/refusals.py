"""
Helpers for tests of invalid command lines.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from brxy.program.options import Options

__all__ = ["RefusalTests"]


class RefusalTests(SynchronousTestCase):
    """
    Base of tests of options.
    """

    def refuse(self, options: Callable[[], Options], arguments: Sequence[str]) -> str:
        """
        Parse a command line that must end the program.

        @return: the one line that the program prints, without its name.
        """
        stderr = io.StringIO()
        parsed = options()
        self.patch(sys, "stderr", stderr)
        error = self.assertRaises(SystemExit, parsed.parseOptions, arguments)
        self.assertEqual(error.code, 1)
        program, _, line = stderr.getvalue().partition(": ")
        self.assertEqual(program, parsed.program)
        self.assertEqual(line.count("\n"), 1)
        return line.rstrip("\n")
