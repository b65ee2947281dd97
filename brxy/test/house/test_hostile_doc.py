"""
Tests that the page about hostile inputs, C{doc/hostile.rst}, names a test for each rule of the
RFCs, and that these exist.
"""

from __future__ import annotations

import re

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.pages import listTables, readPage, section

#: The tables, with the number of rules that each has at least.
TABLES = {"RFC 9110": 55, "RFC 9112": 40, "Where brxy differs": 5}


class HostileDocTests(SynchronousTestCase):
    """
    Tests of the tables of rules.
    """

    def test_named(self) -> None:
        """
        Each rule has its section, what brxy does, and tests, which exist.
        """
        page = section(readPage("hostile"), "Rules for proxies and gateways")
        for title, least in TABLES.items():
            [rows] = listTables(section(page, title))
            self.assertGreaterEqual(len(rows), least, title)
            for row in rows:
                number, rule, done, tests = row
                self.assertRegex(number, r"^[\d., ]+$")
                self.assertTrue(rule and done, row)
                self.assertRegex(tests, r"^``[\w.]+``(, ``[\w.]+``)*$", row)
                for name in re.findall(r"``([\w.]+)``", tests):
                    self.assertRegex(name, r"\.[A-Z]\w+Tests\.test_\w+$", row)
                    namedAny(f"brxy.test.{name}")

    def test_order(self) -> None:
        """
        Rules stand in the order of their sections.
        """
        page = section(readPage("hostile"), "Rules for proxies and gateways")
        for title in TABLES:
            [rows] = listTables(section(page, title))
            numbers = [
                [int(part) for part in re.findall(r"\d+", row[0].split(",")[0])] for row in rows
            ]
            self.assertEqual(numbers, sorted(numbers), title)
