"""
Tests that the manual pages match the tables.
"""

from __future__ import annotations

import shutil
import subprocess

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.test.house.manpages import FOLDER, manPages
from brxy.test.house.optionspage import COMMAND

__all__ = ["ManPagesTests"]


class ManPagesTests(SynchronousTestCase):
    """
    Tests of the pages in C{doc/man}.
    """

    def setUp(self) -> None:
        if not FOLDER.exists():
            raise SkipTest("needs doc/: run the tests in a checkout")

    def test_texts(self) -> None:
        """
        They are the texts that the tables give.
        """
        self.assertEqual(set(FOLDER.iterdir()), set(manPages()))
        for path, text in manPages().items():
            if path.read_text() != text:
                self.fail(f"{path} is out of date: {COMMAND}")

    def test_rendered(self) -> None:
        """
        groff has nothing to complain of.
        """
        if shutil.which("groff") is None:
            raise SkipTest("needs groff: apt install groff-base")
        for path in manPages():
            done = subprocess.run(
                ["groff", "-man", "-Tascii", "-P-cbou", "-ww", "-rLL=80n", str(path)],
                capture_output=True,
                text=True,
                check=True,
            )
            self.assertEqual(done.stderr, "")
            self.assertIn("NAME", done.stdout)
