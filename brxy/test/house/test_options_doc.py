"""
The page about the options, C{doc/options.rst}, says what the code does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy
from brxy.edge.config.options import Options as EdgeOptions
from brxy.edge.tap import NODE_PORT
from brxy.node.tap import Options as NodeOptions
from brxy.program.options import Options
from brxy.spawners.docker import spawner as docker
from brxy.spawners.kubernetes import spawner as kubernetes
from brxy.spawners.local import app, process
from brxy.spawners.spec import Common, optionKeys
from brxy.spawners.ssh import spawner as ssh
from brxy.spawners.swarm import spawner as swarm

PAGE = Path(brxy.__file__).parents[1] / "doc" / "options.rst"

# Twisted's own, which every program has.
COMMON = {"help", "version"}


def described(program: str) -> dict[str, str]:
    """
    What the page says of each long option of a program.
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
    The default that a text tells: the last value in the sentence about it.
    """
    sentence = re.search(r"Default:(.*?)\.(?:\s|$)", text, re.DOTALL)
    values = re.findall(r"``([^`]+)``", sentence[1]) if sentence else []
    return values[-1] if values else sentence[1].strip() if sentence else "not told"


class OptionsDocTests(SynchronousTestCase):
    """
    Tests of what the page says of the command lines.
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
        All options of the edge are told, with their defaults.
        """
        texts = self._compare(EdgeOptions())
        self.assertIn("Default: ``8080``", texts["port"])
        self.assertEqual(NODE_PORT, "tcp:9080:interface=127.0.0.1")
        self.assertIn(f"Default: ``{NODE_PORT}``", texts["node-port"])

    def test_node(self) -> None:
        """
        So are all of the node.
        """
        self._compare(NodeOptions({}), "--", "true")

    def test_spawners(self) -> None:
        """
        So are the keys of spawn strings.
        """
        page = PAGE.read_text()
        page = page[page.index("Spawn strings\n---") :]
        names = ("app", "process", "ssh", "docker", "swarm", "kubernetes")
        starts = [page.index(f"\n{name}:\n~") for name in names] + [page.index("\nOthers\n")]
        parts = [page[: starts[0]]]
        parts += [page[start:end] for start, end in zip(starts, starts[1:], strict=False)]
        owns = (app, process, ssh, docker, swarm, kubernetes)
        classes = (Common, *(each.Options for each in owns))
        for part, options in zip(parts, classes, strict=True):
            keys = optionKeys(options)
            told = re.findall(r"^``([a-z-]+)=``(?:, ``([a-z-]+)=``)?$", part, re.MULTILINE)
            self.assertEqual({key for pair in told for key in pair if key}, set(keys))
            for key, each in keys.items():
                if each.default not in (None, attrs.NOTHING):
                    text = part[part.index(f"``{key}=``\n") :].split("\n\n")[0]
                    value = each.default
                    told_default = value if isinstance(value, str) else f"{value:g}"
                    self.assertIn(f"Default: ``{told_default}``", text)
