"""
Tests that the page about security, C{doc/security.rst}, names tests that
exist.
"""

from __future__ import annotations

import re

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.pages import readPage, section


class SecurityDocTests(SynchronousTestCase):
    """
    Tests of the list of threats.
    """

    def test_named(self) -> None:
        """
        The page names a test for each threat, and all tests that it names
        exist.
        """
        text = section(readPage("security"), "Threats")
        threats = re.findall(r"^(\w.*)\n((?:    .*\n|\n(?=    ))+)", text, re.MULTILINE)
        self.assertGreater(len(threats), 15)
        # This test has found each entry.
        self.assertEqual(len(threats), len(re.findall(r"^\w.*\n    \S", text, re.MULTILINE)))
        self.assertEqual(len(threats), text.count("\n    Tests: "))
        for threat, answer in threats:
            tests = re.findall(r"``([^`]+)``", answer.partition("\n    Tests: ")[2])
            self.assertNotEqual(tests, [], threat)
            for name in tests:
                self.assertRegex(name, r"^brxy\.test\.(\w+\.)*test_\w+", threat)
                namedAny(name)
