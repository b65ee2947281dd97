"""
Tests that the page about the options, C{doc/options.rst}, matches the code.
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
from brxy.values.capacity import AUTO
from brxy.values.converters import size


def described(program: str) -> dict[str, str]:
    """
    @return: what the page says about each long option of a program.
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
    @return: the default that a text gives: the first value in the field about
        it.
    """
    field = re.search(r"^ *:Default: (.*)$", text, re.MULTILINE)
    values = re.findall(r"``([^`]+)``", field[1]) if field else []
    return values[0] if values else field[1] if field else "not named"


class OptionsDocTests(SynchronousTestCase):
    """
    Tests of the page's text about the command lines.
    """

    def setUp(self) -> None:
        if not PAGE.exists():
            raise SkipTest("needs doc/: run the tests in a checkout")

    def test_page(self) -> None:
        """
        The page is the text that the tables of settings give.
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
                named = f"{value:g}" if isinstance(value, float) else str(value)
                text = default(texts[name])
                if re.fullmatch("[0-9]+[KMG]", text):
                    text = str(size(text))
                if text == "auto":
                    text = str(AUTO)
                self.assertEqual(text, named, name)
        return texts

    def test_edge(self) -> None:
        """
        The page describes all options of the edge, with their defaults.
        """
        texts = self._compare(EdgeOptions())
        self.assertEqual(default(texts["port"]), "8080")
        self.assertEqual(FIELDS["node-port"].value, "tcp:9080:interface=127.0.0.1")
        self.assertEqual(default(texts["node-port"]), FIELDS["node-port"].value)

    def test_node(self) -> None:
        """
        The page describes all options of the node, with their defaults.
        """
        self._compare(NodeOptions({}), "--", "true")

    def test_spawnKeys(self) -> None:
        """
        The page describes the keys of spawn strings that every spawner has.
        """
        page = PAGE.read_text()
        part = page[page.index("Spawn keys\n---") :]
        named = re.findall(r"^``([a-z-]+)=``$", part, re.MULTILINE)
        self.assertEqual(named, list(optionKeys(Common)))
