"""
Tests of L{brxy.edge.fleet.statelock}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.fleet.statelock import StateLock
from brxy.errors import UsageError


class StateLockTests(SynchronousTestCase):
    """
    Tests of L{StateLock}.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()

    def test_held(self) -> None:
        """
        A folder has one holder at a time, under whatever name, and nothing is put into it.
        """
        first = StateLock(self.folder)
        link = self.mktemp()
        os.symlink(os.path.abspath(self.folder), link)
        for name in (self.folder, os.path.abspath(self.folder), link):
            error = self.assertRaises(UsageError, StateLock, name)
            self.assertEqual(
                str(error),
                f"--state-dir {name}: another edge uses it (process {os.getpid()}); "
                "each edge needs its own",
            )
        self.assertEqual(os.listdir(self.folder), [])
        first.release()
        first.release()
        StateLock(self.folder).release()

    def test_dropped(self) -> None:
        """
        A holder that is forgotten holds nothing.
        """
        StateLock(self.folder)
        StateLock(self.folder).release()

    def test_none(self) -> None:
        """
        Without a folder nothing is locked.
        """
        StateLock(None)
        StateLock(None).release()

    def test_unusable(self) -> None:
        """
        A folder that can't be used is reported in one line.
        """
        Path(self.folder).write_text("a file")
        error = self.assertRaises(UsageError, StateLock, self.folder)
        self.assertEqual(str(error), f"--state-dir {self.folder}: File exists")
        error = self.assertRaises(UsageError, StateLock, f"{self.folder}/x")
        self.assertEqual(str(error), f"--state-dir {self.folder}/x: Not a directory")
