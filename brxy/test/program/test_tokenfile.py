"""
Tests of L{brxy.program.tokenfile}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import UsageError
from brxy.program.tokenfile import makeToken, readToken, readTokens


class TokenFileTests(SynchronousTestCase):
    """
    Tests of L{makeToken} and L{readToken}.
    """

    def test_read(self) -> None:
        """
        The token is the first line of its file.
        """
        path = self.mktemp()
        for text, token in [
            ("s3cret", "s3cret"),
            (" a b \n\nmore\n", "a b"),
            ("x" * 255, "x" * 255),
        ]:
            Path(path).write_text(text)
            self.assertEqual(readToken(path), token)

    def test_former(self) -> None:
        """
        The second line may have the token that the first one replaces.
        """
        path = self.mktemp()
        for text, tokens in [
            ("new\nformer\n", ["new", "former"]),
            ("new\n\nformer\n", ["new"]),
            ("new", ["new"]),
        ]:
            Path(path).write_text(text)
            self.assertEqual(readTokens(path), tokens)
        Path(path).write_text("new\n\x07\n")
        error = self.assertRaises(UsageError, readTokens, path)
        self.assertEqual(str(error), f"--token-file {path}: its second line is not a token")

    def test_noToken(self) -> None:
        """
        What is not a token is reported in a line that doesn't show it.
        """
        path = self.mktemp()
        for text in ("", "\nsecond", "x" * 256, "a\x07b", "\u00e4", "x" * 100_000):
            Path(path).write_text(text)
            error = self.assertRaises(UsageError, readToken, path)
            self.assertTrue(str(error).startswith(f"--token-file {path}: "))
            self.assertNotIn(text or "?", str(error))
        for path in (self.mktemp(), "."):
            error = self.assertRaises(UsageError, readToken, path)
            self.assertTrue(str(error).startswith(f"--token-file {path}: "))
            self.assertNotIn("\n", str(error))

    def test_made(self) -> None:
        """
        A file that does not exist is created. Only its user can read it,
        whatever the umask. Each token is different.
        """
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        tokens = set()
        for path in (self.mktemp(), self.mktemp()):
            makeToken(path)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            tokens.add(readToken(path))
        self.assertEqual(len(tokens), 2)
        self.assertGreaterEqual(min(map(len, tokens)), 32)

    def test_kept(self) -> None:
        """
        A file that exists stays as it is.
        """
        path = self.mktemp()
        Path(path).write_text("s3cret")
        makeToken(path)
        self.assertEqual(Path(path).read_text(), "s3cret")

    def test_notMade(self) -> None:
        """
        A file that can't be created is reported in one line.
        """
        path = f"{self.mktemp()}/below"
        error = self.assertRaises(UsageError, makeToken, path)
        self.assertEqual(str(error), f"--token-file {path}: No such file or directory")
