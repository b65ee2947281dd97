"""
Checks of what must be true of every program's table of settings.
"""

from __future__ import annotations

import re
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from brxy.program.fields import ACTION, COMMON, FLAG, Table

__all__ = ["SettingTests"]

# Kinds of which each value is a name, a file or the like, and so has no unit.
_NO_UNIT = re.compile(
    "|ADDRESS|FILE|FOLDER|PORT|PATH|NAME|HOST|SIGNAL|COMMAND|REGEX|ENDPOINT|NETWORK|SPAWN|TICKET"
    r"|TOKEN|N|HOST:PORT|NAME=(ENDPOINT|ROUTE|VALUE)|USER\[:GROUP\]|v1\|v2|epoll\|reactor|abort\|serve"
    r"|client\|server|ENDPOINT\|off|json\|combined|text\|json|SHARE"
)


class SettingTests(SynchronousTestCase):
    """
    Base of the tests of a table.

    @ivar table: the table; that of every program here.
    @ivar without_unit: names of settings with a number that counts nothing.
    """

    table = Table(COMMON)

    without_unit: tuple[str, ...] = ()

    def test_names(self) -> None:
        """
        No name, letter or field occurs twice.
        """
        for names in (
            [each.name for each in self.table],
            [each.short for each in self.table if each.short],
            [each.field for each in self.table if each.field],
            [each.environment for each in self.table if each.environment],
        ):
            self.assertEqual([each for each, n in Counter(names).items() if n > 1], [])

    def test_help(self) -> None:
        """
        The help of each is one sentence.
        """
        for each in self.table:
            self.assertRegex(each.help, r"^[A-Z].*[^.]\.$", each.name)
            self.assertNotRegex(each.help, r"[.!?] [A-Z]", each.name)
            self.assertNotIn("``", each.help)

    def test_units(self) -> None:
        """
        Each number has a unit, and each setting without a unit is no number.
        """
        for each in self.table:
            if each.kind.unit is None and each.name not in self.without_unit:
                self.assertTrue(_NO_UNIT.fullmatch(each.kind.placeholder), each.name)
                self.assertNotEqual(each.kind.placeholder, "N", each.name)
            self.assertNotEqual(each.kind.takes, "", each.name)

    def test_defaults(self) -> None:
        """
        Each default passes its own converter, and has the same value after it
        was written as text and read again.
        """
        for each in self.table:
            if each.default is not None:
                self.assertEqual(each.kind.convert(each.default), each.value, each.name)
            if each.kind in (FLAG, ACTION):
                self.assertIsNone(each.default, each.name)

    def test_reading(self) -> None:
        """
        Texts for the reference end as sentences do.
        """
        for each in self.table:
            for text in (each.client, each.detail):
                self.assertRegex(text.strip(), r"^$|\.$", each.name)
            self.assertNotRegex(each.default_note, r"\.$|``", each.name)
