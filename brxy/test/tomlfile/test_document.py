"""
Tests of L{brxy.tomlfile.document}.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.tomlfile.document import BadToml, Document

_TEXT = """\
# a comment
title = "x"      # 2
a.b.c = 1        # 3
a.b.d = [        # 4
    1,           # 5

    # [not.a.header]
    2, 3,        # 8
]
text = '''
[route]
key = 3
'''
inline = { one = 1, two.three = 3 }  # 14

[edge]           # 16
port = "1"       # 17
  [edge.deep."with.dot"]    # 18
  'quo ted' = 1  # 19
[route."shop.example.com"]  # 20
max = 2          # 21
[[route."shop.example.com".spawn]] # 22
kind = "app"     # 23
command = [      # 24
    "a",         # 25
    "b" ]        # 26
[route."shop.example.com".spawn.env] # 27
X = "1"          # 28
[[route."shop.example.com".spawn]] # 29
kind = "docker"  # 30
env.A = "2"      # 31
env.B = "3"      # 32
nested = [ [1],  # 33
  [2, 3],        # 34
  [4] ]          # 35
[[list]]         # 36
x = 1            # 37
[[list]]         # 38
x = 2            # 39
y = [{ z = 1 }]  # 40
"""

_ROUTE = ("route", "shop.example.com")

_LINES = {
    ("title",): 2,
    ("a", "b"): 3,
    ("a", "b", "c"): 3,
    ("a", "b", "d"): 4,
    ("a", "b", "d", 0): 5,
    ("a", "b", "d", 1): 8,
    ("a", "b", "d", 2): 8,
    ("text",): 10,
    ("inline", "two", "three"): 14,
    ("edge",): 16,
    ("edge", "port"): 17,
    ("edge", "deep"): 18,
    ("edge", "deep", "with.dot", "quo ted"): 19,
    ("route",): 20,
    _ROUTE: 20,
    (*_ROUTE, "max"): 21,
    (*_ROUTE, "spawn"): 22,
    (*_ROUTE, "spawn", 0): 22,
    (*_ROUTE, "spawn", 0, "command"): 24,
    (*_ROUTE, "spawn", 0, "command", 0): 25,
    (*_ROUTE, "spawn", 0, "command", 1): 26,
    (*_ROUTE, "spawn", 0, "env"): 27,
    (*_ROUTE, "spawn", 0, "env", "X"): 28,
    (*_ROUTE, "spawn", 1): 29,
    (*_ROUTE, "spawn", 1, "kind"): 30,
    (*_ROUTE, "spawn", 1, "env"): 31,
    (*_ROUTE, "spawn", 1, "env", "B"): 32,
    (*_ROUTE, "spawn", 1, "nested", 1): 34,
    ("list",): 36,
    ("list", 1): 38,
    ("list", 1, "x"): 39,
    ("list", 1, "y", 0, "z"): 40,
    # What is not there is in what contains it.
    (*_ROUTE, "spawn", 1, "image"): 29,
    (*_ROUTE, "spawn", 7): 22,
    ("edge", "nothing", "at", "all"): 16,
    ("nothing",): 1,
}


def paths(values: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """
    The paths of all keys and elements.
    """
    items: Any = values.items() if isinstance(values, dict) else ()
    items = enumerate(values) if isinstance(values, list) else items
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


class DocumentTests(SynchronousTestCase):
    """
    Tests of L{Document}.
    """

    def test_lines(self) -> None:
        """
        The line of a key is the one where it is written: with dots, in inline tables, in arrays
        of tables and beside values of several lines.
        """
        document = Document(_TEXT)
        found = {path: document.line(path) for path in _LINES}
        self.assertEqual(found, _LINES)

    def test_everyKey(self) -> None:
        """
        Every key has a line on which its name is, with either kind of line ends.
        """
        for text in (_TEXT, _TEXT.replace("\n", "\r\n")):
            document, lines = Document(text), text.split("\n")
            for path in paths(document.values):
                name = next(str(each) for each in reversed(path) if isinstance(each, str))
                if not isinstance(path[-1], int):
                    self.assertIn(name, lines[document.line(path) - 1], path)

    def test_bad(self) -> None:
        """
        What is not TOML has a line, too.
        """
        for text, line, message in (
            ("a = 1\nb = \n", 2, "invalid value"),
            ("[a]\nb = 1\n[a]\n", 3, "cannot declare ('a',) twice"),
            ("a = 1\na = 2\n", 2, "cannot overwrite a value"),
            ("a = [1,\n2\n", 2, "unclosed array"),
            ("a = '''\n2\n\n", 2, "expected"),
        ):
            error = self.assertRaises(BadToml, Document, text)
            self.assertEqual(error.line, line, text)
            self.assertIn(message, str(error))
            self.assertNotIn("at line", str(error))
            self.assertNotIn("end of document", str(error))

    def test_empty(self) -> None:
        """
        An empty text has no keys.
        """
        self.assertEqual((Document("").values, Document("").line(("a",))), ({}, 1))
