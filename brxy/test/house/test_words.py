"""
The English of the project is plain: constructions that make a reader stumble are not
used in pages, docstrings, comments or messages.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy

ROOT = Path(brxy.__file__).parents[1]

#: What is not written, and what is written instead.
PATTERNS = {
    r"\bso (?:many|much|long|often)\b(?! as\b)": 'the number: "N", "at most N", "for this long"',
    r"(?<!people )(?<!readers )(?<!user )(?<!users )(?<!attacker )\b[Ww]ho(?:ever|m)?\b": (
        'the actor: "a client that"'
    ),
    r"\b(?:[Ss]ome|[Nn]o|[Ee]very|[Aa]ny)(?:body|one)\b": "the actor: a client, the edge, an app",
    r"\bby (?:TLS|https?|HTTPS?)\b": '"over TLS"',
    r"\b(?:is|are|was|were|be|been|being) told\b": "what is sent, reported, or known",
}

#: Texts that have one of these nevertheless, and why.
EXCEPTIONS = {
    "someone else reaped": "a message as it was, in the list of changes",
    "removed by somebody else": "a message as it was, in the list of changes",
    "nobody to ask": "a message as it was, in the list of changes",
    "kill-whom": "an option of systemctl",
    "claim to be anyone": "anyone is meant",
    "Who is trusted with what": "a question",
    '"someone"': "test data",
    '"nobody"': "test data, or the user of that name",
    "somebody.example": "test data",
}

# In this module they must be written.
_SELF = Path(__file__)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """
    The texts for people in a file, with the numbers of the lines where they begin:
    strings and comments of a module, or the lines of a page.
    """
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            yield token.start[0], token.string


def stumbles(path: Path) -> Iterator[str]:
    """
    Each of the constructions in a file, with its place and the better words.
    """
    for line, text in texts(path):
        for pattern, better in PATTERNS.items():
            for match in re.finditer(pattern, text):
                around = text[max(0, match.start() - 30) : match.end() + 30]
                if not any(each in around for each in EXCEPTIONS):
                    number = line + text[: match.start()].count("\n")
                    yield f"{path.relative_to(ROOT)}:{number}: {match[0]!r}; write {better}"


class WordsTests(SynchronousTestCase):
    """
    Tests of the words.
    """

    def check(self, *patterns: str) -> None:
        files = [path for each in patterns for path in sorted(ROOT.glob(each)) if path != _SELF]
        files = [path for path in files if "_build" not in path.parts]
        if not files:
            raise SkipTest("needs a checkout")
        self.assertEqual([found for path in files for found in stumbles(path)], [])

    def test_pages(self) -> None:
        """
        None of them is in the documentation.
        """
        self.check("*.md", "doc/**/*.rst", "newsfragments/*.rst", "CHANGES.rst")

    def test_code(self) -> None:
        """
        None of them is in docstrings, comments and messages.
        """
        self.check("brxy/**/*.py")

    def test_others(self) -> None:
        """
        Nor in benchmarks, examples and fuzzers.
        """
        self.check("benchmarks/**/*.py", "examples/**/*.py", "fuzz/**/*.py")
