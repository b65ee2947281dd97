"""
Tests of the folder for the sockets of ssh's clients.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import SpawnFailed
from brxy.spawners.ssh.folder import ControlFolder

__all__ = ["ControlFolderTests"]


class ControlFolderTests(SynchronousTestCase):
    """
    Tests of L{ControlFolder}.
    """

    def setUp(self) -> None:
        # With a short name, that of trial's own folder is too long.
        folder = tempfile.TemporaryDirectory(prefix="brxy-")
        self.addCleanup(folder.cleanup)
        self.parent = Path(folder.name)

    def folder(self) -> ControlFolder:
        """
        One that is gone after the test.
        """
        folder = ControlFolder(str(self.parent))
        self.addCleanup(folder.remove)
        return folder

    def age(self) -> None:
        """
        Make all that is there look old.
        """
        for path in self.parent.iterdir():
            os.utime(path, (0, 0))

    def test_life(self) -> None:
        """
        It is made when it is needed, for its user alone, and removed with all
        that is in it.
        """
        folder = self.folder()
        self.assertEqual([*self.parent.iterdir()], [])
        first, second = Path(folder.next()), Path(folder.next())
        self.assertNotEqual(first, second)
        self.assertEqual(first.parent, second.parent)
        self.assertEqual(first.parent.stat().st_mode & 0o777, 0o700)
        first.touch()
        folder.remove()
        folder.remove()
        self.assertEqual([*self.parent.iterdir()], [])

    def test_swept(self) -> None:
        """
        A folder that no process holds is removed by the next, and one that is held is not.
        """
        held = Path(self.folder().next()).parent
        (self.parent / "brxy-ssh-left").mkdir()
        (self.parent / "brxy-ssh-left" / "1").touch()
        (self.parent / "other").mkdir()
        self.age()
        (self.parent / "brxy-ssh-young").mkdir()
        own = Path(self.folder().next()).parent
        names = {path.name for path in self.parent.iterdir()}
        self.assertEqual(names, {held.name, own.name, "other", "brxy-ssh-young"})

    def test_long(self) -> None:
        """
        Where a socket's path would be too long it is made elsewhere.
        """
        long = self.parent / ("x" * 60)
        long.mkdir()
        folder = ControlFolder(str(long))
        self.addCleanup(folder.remove)
        self.assertEqual(Path(folder.next()).parents[1], Path("/tmp"))

    def test_impossible(self) -> None:
        """
        No folder, no order.
        """
        folder = ControlFolder(f"{self.parent}/no")
        error = self.assertRaises(SpawnFailed, folder.next)
        self.assertEqual(str(error), f"no folder in {self.parent}/no: No such file or directory")
