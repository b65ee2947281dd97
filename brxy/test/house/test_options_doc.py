"""
The page about the options, C{doc/options.rst}, says what the code does.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.options import Options as EdgeOptions
from brxy.node.tap import Options as NodeOptions
from brxy.program.options import Options
from brxy.spawners.spec import Common, optionKeys
from brxy.test.house.optionspage import COMMAND, PAGE, pageText


def described(program: str) -> dict[str, str]:
    """
    What the page says of each long option of a program.
    """
    [part] = re.findall(
        rf"^\.\. program:: {program}\n(.*?)(?=^\.\. program::)",
        PAGE.read_text().replace("\nSpawn keys\n---", "\n.. program:: keys\n", 1),
        re.DOTALL | re.MULTILINE,
    )
    found = re.findall(
        r"^\.\. option:: --([a-z-]+)[^\n]*\n\n((?:   [^\n]*\n|\n)+)", part, re.MULTILINE
    )
    return dict(found)


def default(text: str) -> str:
    """
    The default that a text names: the first value in the field about it.
    """
    field = re.search(r"^ *:Default: (.*)$", text, re.MULTILINE)
    values = re.findall(r"``([^`]+)``", field[1]) if field else []
    return values[0] if values else field[1] if field else "not named"


class OptionsDocTests(SynchronousTestCase):
    """
    Tests of what the page says of the command lines.
    """

    def setUp(self) -> None:
        if not PAGE.exists():
            raise SkipTest("needs doc/: run the tests in a checkout")

    def test_page(self) -> None:
        """
        The page is what the tables of settings yield.
        """
        if PAGE.read_text() != pageText():
            self.fail(f"doc/options.rst is out of date; {COMMAND!r} writes it")

    def _compare(self, options: Options, *arguments: str) -> dict[str, str]:
        texts = described(options.program)
        names = {name.rstrip("=") for name in options.longOpt}
        self.assertEqual(set(texts), names)
        flags = {flag for flag, *_ in options.optFlags}
        options.parseOptions(list(arguments))
        values: dict[str, Any] = dict(options)
        for name in names & values.keys():
            value = values[name]
            if name in flags:
                self.assertEqual(default(texts[name]), "off", name)
            elif value is not None and not isinstance(value, list):
                named = value if isinstance(value, str) else f"{value:g}"
                self.assertEqual(default(texts[name]), named, name)
        return texts

    def test_edge(self) -> None:
        """
        All options of the edge are there, with their defaults.
        """
        texts = self._compare(EdgeOptions())
        self.assertEqual(default(texts["port"]), "8080")
        self.assertEqual(FIELDS["node-port"].value, "tcp:9080:interface=127.0.0.1")
        self.assertEqual(default(texts["node-port"]), FIELDS["node-port"].value)

    def test_node(self) -> None:
        """
        So are all of the node.
        """
        self._compare(NodeOptions({}), "--", "true")

    def test_spawn_keys(self) -> None:
        """
        So are the keys of spawn strings that every spawner has.
        """
        page = PAGE.read_text()
        part = page[page.index("Spawn keys\n---") :]
        named = re.findall(r"^``([a-z-]+)=``$", part, re.MULTILINE)
        self.assertEqual(named, list(optionKeys(Common)))
