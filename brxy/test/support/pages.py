"""
Helpers that read the pages of C{doc/}, for tests that compare them with the
code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest

import brxy

__all__ = [
    "ROOT",
    "allLines",
    "codeLines",
    "listTables",
    "pagePath",
    "pages",
    "readPage",
    "section",
]

#: The checkout.
ROOT = Path(brxy.__file__).parents[1]

_DOC = ROOT / "doc"

# The end of a paragraph before a block of code. Directives and comments don't match.
_CODE = re.compile(r"^(?!\.\. ).*::$")

# The characters that underline the titles of a page, from the highest level down.
_LEVELS = "=-~"


def pagePath(name: str) -> Path:
    """
    The file of a page; the test is skipped without a checkout.

    @param name: its path within C{doc/}, without C{.rst}.
    """
    if not _DOC.exists():
        raise SkipTest("needs doc/: run the tests in a checkout")
    return _DOC / f"{name}.rst"


def readPage(name: str) -> str:
    """
    The text of a page, see L{pagePath}.
    """
    return pagePath(name).read_text("utf-8")


def section(page: str, title: str) -> str:
    """
    @return: the text below a title, up to the next title of the same or a
        higher level.
    """
    start = re.search(rf"^{re.escape(title)}\n(?P<line>([=~-])\2+)\n", page, re.MULTILINE)
    assert start is not None, f"no section {title!r}"
    rest = page[start.end() :]
    ends = _LEVELS[: _LEVELS.index(start["line"][0]) + 1]
    end = re.search(rf"^\S.*\n([{ends}])\1{{2,}}$", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def listTables(text: str) -> list[list[list[str]]]:
    """
    @return: the list-tables in a text: for each table its rows without the
        header, for each row its cells, for each cell its text in one line.
    """
    tables = []
    for found in re.finditer(r"^\.\. list-table::\n((?:   .*\n|\n)+)", text, re.MULTILINE):
        rows = re.split(r"^   \* - ", found[1] + "\n", flags=re.MULTILINE)[1:]
        cells = [re.split(r"^     - ", row, flags=re.MULTILINE) for row in rows]
        tables.append([[" ".join(cell.split()) for cell in row] for row in cells[1:]])
    return tables


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
    @return: the literal lines of a page of reStructuredText: those that are
        indented below a paragraph that ends with two colons, or below
        C{code-block}.
    """
    margin: int | None = None
    for number, line in allLines(page):
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if margin is not None and text and indent <= margin:
            margin = None
        if margin is not None:
            yield number, line
        elif text.startswith(".. code-block::") or _CODE.search(text):
            margin = indent
