"""
For tests of command lines that can't be.
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
        Parse what must end the program.

        @return: the one line that it says, without the name of the program.
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
