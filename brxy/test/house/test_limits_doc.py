"""
Tests that the pages about limits and about trouble, C{doc/limits.rst} and
C{doc/troubleshooting.rst}, match the code.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import brxy
from brxy.edge.config.options import Options
from brxy.test.support.pages import readPage

# A row of the table of limits that names one option, and its default.
ROW = re.compile(r"^   \* - [^\n]*: :option:`--([a-z-]+)`\n     - ([^\n]*)\n", re.MULTILINE)

# The heading of a response to a client: its status and its text.
ANSWER = re.compile(r"^``(\d{3}) ([^`]+)``$", re.MULTILINE)

# Options whose default is no number but depends on other things.
DERIVED = {"max-connections": "by open files", "max-held-total": "10,000"}


def size(value: int) -> str:
    """
    @return: a number of bytes in the largest unit that leaves it whole.
    """
    for unit, many in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value % many == 0:
            return f"{value // many} {unit}"
    return f"{value} bytes"


class LimitsDocTests(SynchronousTestCase):
    """
    Tests of the two pages.
    """

    def test_defaults(self) -> None:
        """
        The table of limits has the defaults of the edge's options.
        """
        options = Options()
        options.parseOptions([])
        expected = {}
        rows = dict(ROW.findall(readPage("limits")))
        for name in rows:
            value = options[name]
            unit = " s" if name.endswith(("timeout", "keepalive")) else ""
            given = DERIVED.get(name)
            if given is None and value:
                given = size(value) if "-buffer" in name else f"{value:,.0f}{unit}"
            expected[name] = given or "no limit"
        self.assertEqual(rows, expected)
        self.assertGreater(len(rows), 12)

    def test_answers(self) -> None:
        """
        Each response that the page about trouble explains is one that the edge
        gives.
        """
        sources = Path(brxy.__file__).parent.glob("edge/**/*.py")
        code = "".join(source.read_text() for source in sources)
        answers = ANSWER.findall(readPage("troubleshooting"))
        lost = [
            (status, text)
            for status, text in answers
            if not re.search(rf'{status},\s*"{re.escape(text)}"', code)
        ]
        self.assertEqual(lost, [])
        self.assertGreater(len(answers), 8)
