"""
Tests of all pages of the documentation: they name files that exist, show
command lines that are accepted, and fit on a screen.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.options import Options as EdgeOptions
from brxy.node.tap import Options as NodeOptions
from brxy.spawners.registry import findSpawner
from brxy.spawners.spec import SpawnSpec, parseSpawn, splitCommon
from brxy.test.support.pages import ROOT, allLines, codeLines, pages

# Wider lines are cut off on a screen of the usual width.
WIDEST = 88

# A Markdown link that is no URL, with or without a part of the page.
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")

# A path of the sources, in either markup. Patterns and placeholders don't match.
PATH = re.compile(r"`((?:deploy|doc|examples|fuzz|newsfragments)/[\w./-]+|[A-Z]+\.(?:md|rst))`")

# A command line that runs twistd. A quoted part may continue on the next line.
COMMAND = re.compile(r'^ *(twistd (?:"[^"]*"|[^"\n])*)$', re.MULTILINE)


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """
    @return: the arguments of each command line of a page that runs this
        program, after its name, except command lines that are shortened.
    """
    lines = codeLines(page) if page.suffix == ".rst" else allLines(page)
    text = "\n".join(line for _, line in lines).replace("\\\n", " ")
    for each in COMMAND.findall(text):
        _, *words = shlex.split(each)
        name = next((word for word in words if word.startswith("brxy-")), None)
        if name == program and not {"…", "[options]"} & set(words):
            yield words[words.index(name) + 1 :]


class CommandsTests(SynchronousTestCase):
    """
    Tests of the command lines that the pages show.
    """

    def test_edge(self) -> None:
        """
        The edge accepts its command lines, with their spawn strings.
        """
        seen = 0
        for page in pages("*.md", "doc/*.rst"):
            for arguments in commands(page, "brxy-edge"):
                options = EdgeOptions()
                if arguments == ["--help-spawners"]:
                    continue
                options.parseOptions(arguments)
                for each in options["spawn"]:
                    spec = each if isinstance(each, SpawnSpec) else parseSpawn(each)
                    if spec.name not in ("wake", "stay"):
                        splitCommon(spec, findSpawner(spec.name).options)
                seen += 1
        self.assertGreater(seen, 25)

    def test_node(self) -> None:
        """
        Command lines of the node have options that it knows, and a command or
        --app.
        """
        known = {name.rstrip("=") for name in NodeOptions({}).longOpt}
        seen = 0
        for page in pages("*.md", "doc/*.rst"):
            for arguments in commands(page, "brxy-node"):
                options, *_ = " ".join(arguments).split(" -- ")
                names = set(re.findall(r"--([a-z-]+)", options))
                self.assertEqual(names - known, set(), page.name)
                self.assertTrue("--" in arguments or "app" in names, page.name)
                seen += 1
        self.assertGreater(seen, 3)

    def test_strangers(self) -> None:
        """
        No command line finds processes by their names, which other programs
        of the machine may have too: it uses a pidfile.
        """
        found = [
            f"{page.name}:{number}"
            for page in pages("*.md", "doc/**/*.rst", "examples/**/*.service", "examples/**/*.rst")
            for number, line in allLines(page)
            if re.search(r"\b(pgrep|killall|pkill)\b", line) and not re.search(r" -[PF] ", line)
        ]
        self.assertEqual(found, [])


class LinksTests(SynchronousTestCase):
    """
    Tests of links that Sphinx does not check by itself.
    """

    def test_markdown(self) -> None:
        """
        Each relative link of a Markdown page leads to a file.
        """
        lost = [
            f"{page.name}: {link}"
            for page in pages("*.md")
            for link in LINK.findall(page.read_text())
            if not (page.parent / link).exists()
        ]
        self.assertEqual(lost, [])

    def test_paths(self) -> None:
        """
        Each path of the sources that a page names exists.
        """
        lost = [
            f"{page.name}: {path}"
            for page in pages("*.md", "doc/**/*.rst")
            for path in PATH.findall(page.read_text())
            if not (ROOT / path).exists() and not path.startswith("doc/_build")
        ]
        self.assertEqual(lost, [])

    def test_width(self) -> None:
        """
        No line of code in a page, and no line of a Markdown page, is wider than a screen.
        """
        wide = [
            f"{page.name}:{number}: {len(line)} columns"
            for page in pages("*.md", "doc/**/*.rst")
            for number, line in (codeLines if page.suffix == ".rst" else allLines)(page)
            if len(line) > WIDEST
        ]
        self.assertEqual(wide, [])
