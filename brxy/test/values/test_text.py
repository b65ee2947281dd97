"""
Tests of L{brxy.values.text}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.values.text import oneLine, printable


class TextTests(SynchronousTestCase):
    """
    Tests of L{printable} and L{oneLine}.
    """

    def test_printable(self) -> None:
        """
        What is printable stays, and all else is escaped.
        """
        for text, shown in (
            ("", ""),
            ("no such module 'ä' \\ <b>", "no such module 'ä' \\ <b>"),
            ("a\nb\x1b[2J\x00\u202e", r"a\nb\x1b[2J\x00\u202e"),
            ("\udcff\U000e0001", r"\udcff\U000e0001"),
        ):
            self.assertEqual(printable(text), shown)

    def test_oneLine(self) -> None:
        """
        A message is one bounded line, with nothing that moves a cursor.
        """
        for text, line in (
            ("a\r\nb\x1b[2J" + "c" * 999, r"a b\x1b[2J" + "c" * 290),
            (" \t a \x0b b\n", "a b"),
            (b"a\xff\tb", r"a\xff b"),
            (ValueError("no\nway"), "no way"),
            (None, "None"),
        ):
            self.assertEqual(oneLine(text), line)
        self.assertEqual(oneLine("a" * 10, 4), "aaaa")

    @given(st.text(), st.integers(0, 20))
    def test_anything(self, text: str, most: int) -> None:
        """
        Whatever comes is one printable line, and not longer than it may be.
        """
        self.assertTrue(printable(text).isprintable())
        self.assertTrue(oneLine(text, most).isprintable())
        self.assertLessEqual(len(oneLine(text, most)), most)
