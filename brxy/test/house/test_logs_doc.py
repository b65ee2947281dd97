"""
Tests that the page about the log, C{doc/logs.rst}, explains every event of the
edge.
"""

from __future__ import annotations

import re

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.eventlog import TEXTS
from brxy.test.support.pages import listTables, readPage, section

__all__ = ["LogsDocTests"]


def shown(text: str) -> str:
    """
    @return: a text as the page shows it: with the names of its fields in
        capitals.
    """
    return re.sub(r"\{(\w+)[^}]*\}", lambda field: field[1].upper(), text)


class LogsDocTests(SynchronousTestCase):
    """
    Tests of the tables of messages.
    """

    def setUp(self) -> None:
        tables = listTables(section(readPage("logs"), "Messages of the edge"))
        self.rows = [row for table in tables for row in table]

    def test_messages(self) -> None:
        """
        Each event has one row with its text, and with its level unless that is
        C{info}. There are no other rows.
        """
        expected = [
            f"``{shown(text)}``" + ("" if level == LogLevel.info else f" ({level.name})")
            for level, text in TEXTS.values()
        ]
        self.assertEqual(sorted(row[0] for row in self.rows), sorted(expected))

    def test_told(self) -> None:
        """
        Each row explains the message, and what to do.
        """
        for message, *others in self.rows:
            self.assertEqual([bool(each) for each in others], [True, True], message)
