"""
The page about security, C{doc/security.rst}, names tests that are there.
"""

from __future__ import annotations

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy

PAGE = Path(brxy.__file__).parents[1] / "doc" / "security.rst"


class SecurityDocTests(SynchronousTestCase):
    """
    Tests of the table of threats.
    """

    def test_named(self) -> None:
        """
        Each threat is shown by a test, and all that are named exist.
        """
        if not PAGE.exists():
            raise SkipTest("needs doc/: run the tests in a checkout")
        table = PAGE.read_text().partition("\nThreats\n")[2].partition("\nTo set")[0]
        threats = table.split("\n   * - ")[2:]
        self.assertGreater(len(threats), 15)
        for threat in threats:
            named = re.findall(r"``(test_\w+)((?:\.\w+)*)``", threat.rpartition("\n     - ")[2])
            self.assertNotEqual(named, [], threat)
            for module, path in named:
                reduce(getattr, path.split(".")[1:], import_module(f"brxy.test.{module}"))
