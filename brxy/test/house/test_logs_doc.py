"""
The page about the log, C{doc/logs.rst}, explains every event of the edge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.logger import LogLevel
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy
from brxy.edge.eventlog import TEXTS

__all__ = ["LogsDocTests"]

PAGE = Path(brxy.__file__).parents[1] / "doc" / "logs.rst"


def rows() -> Iterator[list[str]]:
    """
    The cells of each row in the tables of the edge's messages.
    """
    flags = re.DOTALL | re.MULTILINE
    [part] = re.findall(
        r"^Messages of the edge\n-+\n(.*?)^Messages of a node$", PAGE.read_text(), flags
    )
    for row in re.findall(r"^   \* - (.*?)(?=^   \* - |^\S|\Z)", part, flags):
        cells = [" ".join(cell.split()) for cell in row.split("\n     - ")]
        if cells[0] != "Message":
            yield cells


def shown(text: str) -> str:
    """
    A text as the page shows it: with the names of its fields in capitals.
    """
    return re.sub(r"\{(\w+)[^}]*\}", lambda field: field[1].upper(), text)


class LogsDocTests(SynchronousTestCase):
    """
    Tests of the tables of messages.
    """

    def setUp(self) -> None:
        if not PAGE.exists():
            raise SkipTest("needs doc/: run the tests in a checkout")

    def test_messages(self) -> None:
        """
        Each event has one row with its text, and its level where that is not C{info}; no row
        is about anything else.
        """
        expected = [
            f"``{shown(text)}``" + ("" if level == LogLevel.info else f" ({level.name})")
            for level, text in TEXTS.values()
        ]
        self.assertEqual(sorted(cells[0] for cells in rows()), sorted(expected))

    def test_told(self) -> None:
        """
        Each row says what the message means, and what to do.
        """
        for message, *others in rows():
            self.assertEqual([bool(each) for each in others], [True, True], message)
