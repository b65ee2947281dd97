"""
Tests of what is reported of folders.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.reactor.inotify import FolderWatcher


class _Reactor:
    """
    Keeps the readers.  The kernel reports a change before the call that makes it returns.
    """

    def __init__(self) -> None:
        self.readers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        """
        As a reactor.
        """
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        """
        As a reactor.
        """
        self.readers.discard(reader)


class FolderWatcherTests(SynchronousTestCase):
    """
    Tests of L{FolderWatcher}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.reactor = _Reactor()
        self.reported: list[tuple[str | None, str]] = []
        self.watcher = FolderWatcher(self.reactor, lambda *change: self.reported.append(change))
        self.addCleanup(self.watcher.stop)

    def changes(self) -> list[tuple[str | None, str]]:
        """
        @return: what is reported now, each change once.
        """
        self.reported.clear()
        self.watcher.doRead()
        return list(dict.fromkeys(self.reported))

    def test_files(self) -> None:
        """
        A file that is written, renamed, replaced, made readable or removed is reported, and
        nothing else: not that a file is read, or written while it stays open.
        """
        folder = str(self.folder)
        self.assertTrue(self.watcher.watch(folder))
        self.assertEqual(self.reactor.readers, {self.watcher})
        file = self.folder / "a"
        file.write_text("x")
        self.assertEqual(self.changes(), [(folder, "a")])
        with file.open("a") as open_file:
            open_file.write("y")
            open_file.flush()
            file.read_text()
            self.assertEqual(self.changes(), [])
        self.assertEqual(self.changes(), [(folder, "a")])
        file.chmod(0o600)
        self.assertEqual(self.changes(), [(folder, "a")])
        file.rename(self.folder / "b")
        self.assertEqual(self.changes(), [(folder, "a"), (folder, "b")])
        (self.folder / "b").unlink()
        self.assertEqual(self.changes(), [(folder, "b")])
        (self.folder / "link").symlink_to("nowhere")
        self.assertEqual(self.changes(), [(folder, "link")])
        self.assertEqual(self.changes(), [])

    def test_again(self) -> None:
        """
        A folder that was replaced by another one is watched anew, one that was not is not.
        """
        folder = self.folder / "apps"
        folder.mkdir()
        self.watcher.watch(str(folder))
        self.assertFalse(self.watcher.watch(str(folder)))
        folder.rmdir()
        self.assertEqual(self.changes(), [(str(folder), "")])
        with self.assertRaises(OSError) as caught:
            self.watcher.watch(str(folder))
        self.assertEqual(caught.exception.errno, errno.ENOENT)
        folder.mkdir()
        self.assertTrue(self.watcher.watch(str(folder)))
        (folder / "a").touch()
        self.assertEqual(self.changes(), [(str(folder), "a")])

    def test_keep(self) -> None:
        """
        Other folders are not watched any more, unless they are the same by another name.
        """
        first, second = self.folder / "first", self.folder / "second"
        first.mkdir()
        second.symlink_to("first")
        self.watcher.watch(str(first))
        self.watcher.watch(str(second))
        (first / "a").touch()
        self.assertEqual(set(self.changes()), {(str(first), "a"), (str(second), "a")})
        self.watcher.keep([str(second)])
        (first / "b").touch()
        self.assertEqual(self.changes(), [(str(second), "b")])
        self.watcher.keep([])
        (first / "c").touch()
        self.assertEqual(self.changes(), [])

    def test_full(self) -> None:
        """
        If the kernel's queue was full, any folder may have changed.
        """
        self.watcher.watch(str(self.folder))
        most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        files = [self.folder / "a", self.folder / "b"]
        for each in files:
            each.touch()
        # Like events in a row count once.
        for number in range(most):
            os.utime(files[number % 2])
        found: list[tuple[str | None, str]] = []
        while found[-1:] != [(None, "")]:
            found = self.changes()

    def test_stop(self) -> None:
        """
        A watcher that has stopped has no descriptor, and may begin again.
        """
        self.watcher.watch(str(self.folder))
        self.watcher.stop()
        self.assertEqual((self.watcher.fileno(), self.reactor.readers), (-1, set()))
        self.assertTrue(self.watcher.watch(str(self.folder)))
