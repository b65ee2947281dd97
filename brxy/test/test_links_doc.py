"""
The pages of the documentation point to files that are there, and fit on a screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy

ROOT = Path(brxy.__file__).parents[1]

# What is wider is cut off on a screen of the usual width.
WIDEST = 88

# A link of Markdown that is no URL, with or without a part of the page.
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")

# A path of the sources, in either markup; a pattern or a placeholder is none.
PATH = re.compile(r"`((?:doc|examples|fuzz|newsfragments)/[\w./-]+|[A-Z]+\.(?:md|rst))`")

# The end of a paragraph before a block of code; a directive or a comment is none.
CODE = re.compile(r"^(?!\.\. ).*::$")


def pages(*patterns: str) -> list[Path]:
    """
    @return: the pages of these names, of which there must be some.
    """
    found = [page for pattern in patterns for page in sorted(ROOT.glob(pattern))]
    if not found:
        raise SkipTest("needs doc/: run the tests in a checkout")
    return found


def allLines(page: Path) -> Iterator[tuple[int, str]]:
    """
    @return: the lines of a page, by their numbers.
    """
    return enumerate(page.read_text().splitlines(), 1)


def codeLines(page: Path) -> Iterator[tuple[int, str]]:
    """
    @return: the lines of a page of reStructuredText that are shown as they are: what is
        indented below a paragraph that ends with two colons, or below C{code-block}.
    """
    margin: int | None = None
    for number, line in allLines(page):
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if margin is not None and text and indent <= margin:
            margin = None
        if margin is not None:
            yield number, line
        elif text.startswith(".. code-block::") or CODE.search(text):
            margin = indent


class LinksTests(SynchronousTestCase):
    """
    Tests of what Sphinx does not check by itself.
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
