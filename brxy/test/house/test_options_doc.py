"""
Tests that the page about the options, C{doc/options.rst}, matches the code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy
from brxy.edge.config.options import Options as EdgeOptions
from brxy.edge.tap import NODE_PORT
from brxy.node.tap import Options as NodeOptions
from brxy.program.options import Options

PAGE = Path(brxy.__file__).parents[1] / "doc" / "options.rst"

# Options of Twisted, which every program has.
COMMON = {"help", "version"}


def described(program: str) -> dict[str, str]:
    """
    @return: what the page says about each long option of a program.
    """
    [part] = re.findall(
        rf"^\.\. program:: {program}\n(.*?)(?=^\.\. program::|^Spawn strings$)",
        PAGE.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    found = re.findall(
        r"^\.\. option:: --([a-z-]+)[^\n]*\n\n((?:   [^\n]*\n|\n)+)", part, re.MULTILINE
    )
    return dict(found)


def default(text: str) -> str:
    """
    @return: the default that a text gives: the last value in the sentence
        about it.
    """
    sentence = re.search(r"Default:(.*?)\.(?:\s|$)", text, re.DOTALL)
    values = re.findall(r"``([^`]+)``", sentence[1]) if sentence else []
    return values[-1] if values else sentence[1].strip() if sentence else "not given"


class OptionsDocTests(SynchronousTestCase):
    """
    Tests of the page's text about the command lines.
    """

    def setUp(self) -> None:
        if not PAGE.exists():
            raise SkipTest("needs doc/: run the tests in a checkout")

    def _compare(self, options: Options, *arguments: str) -> dict[str, str]:
        texts = described(options.program)
        names = {name.rstrip("=") for name in options.longOpt} - COMMON
        self.assertEqual(set(texts), names)
        flags = {flag for flag, *_ in options.optFlags}  # type: ignore[attr-defined]
        options.parseOptions(list(arguments))
        values: dict[str, Any] = dict(options)
        for name in names & values.keys():
            if name in flags:
                self.assertEqual(default(texts[name]), "off", name)
            elif values[name] is not None:
                value = values[name]
                told = value if isinstance(value, str) else f"{value:g}"
                self.assertEqual(default(texts[name]), told, name)
        return texts

    def test_edge(self) -> None:
        """
        The page describes all options of the edge, with their defaults.
        """
        texts = self._compare(EdgeOptions())
        self.assertIn("Default: ``8080``", texts["port"])
        self.assertEqual(NODE_PORT, "tcp:9080:interface=127.0.0.1")
        self.assertIn(f"Default: ``{NODE_PORT}``", texts["node-port"])

    def test_node(self) -> None:
        """
        The page describes all options of the node, with their defaults.
        """
        self._compare(NodeOptions({}), "--", "true")
