"""
Tests of L{brxy.program.logfile}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.program.logfile import LogFile

__all__ = ["LogFileTests"]


class LogFileTests(SynchronousTestCase):
    """
    Tests of L{LogFile}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "edge.log"

    def contents(self) -> dict[str, str]:
        """
        What is in each file.
        """
        return {each.name: each.read_text() for each in self.folder.iterdir()}

    def test_appends(self) -> None:
        """
        What an earlier run has logged stays.
        """
        self.path.write_text("old\n")
        LogFile(str(self.path)).write("new \u00e4 \udc80\n")
        self.assertEqual(self.contents(), {"edge.log": "old\nnew \u00e4 \\udc80\n"})

    def test_cannotOpen(self) -> None:
        """
        A file that can't be opened is an error.
        """
        self.assertRaises(OSError, LogFile, str(self.folder / "none" / "edge.log"))

    def test_full(self) -> None:
        """
        A full file is renamed, and only some of these are kept, however many there were.
        """
        (self.folder / "edge.log.17").write_text("oldest\n")
        (self.folder / "edge.log.old").write_text("not ours\n")
        log = LogFile(str(self.path), most=4, kept=2)
        for text in "one\n", "two\n", "three\n", "four\n":
            log.write(text)
        self.assertEqual(
            self.contents(),
            {
                "edge.log": "four\n",
                "edge.log.1": "three\n",
                "edge.log.2": "two\n",
                "edge.log.old": "not ours\n",
            },
        )

    def test_rotate(self) -> None:
        """
        A new file can be begun at any time. It has the mode of the one before.
        """
        log = LogFile(str(self.path))
        log.write("one\n")
        self.path.chmod(0o640)
        log.rotate()
        log.write("two\n")
        self.assertEqual(self.contents(), {"edge.log": "two\n", "edge.log.1": "one\n"})
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)

    def test_movedAway(self) -> None:
        """
        When another program has renamed the file, the next line goes into a new one, with or
        without a signal. So it does when the other program has made the new one.
        """
        log = LogFile(str(self.path))
        log.write("one\n")
        self.path.rename(self.folder / "edge.log.1")
        log.write("two\n")
        self.path.rename(self.folder / "edge.log.2")
        log.rotate()
        log.write("three\n")
        self.path.rename(self.folder / "edge.log.3")
        self.path.touch()
        log.write("four\n")
        self.assertEqual(
            self.contents(),
            {
                "edge.log": "four\n",
                "edge.log.1": "one\n",
                "edge.log.2": "two\n",
                "edge.log.3": "three\n",
            },
        )

    def test_truncated(self) -> None:
        """
        After logrotate's copytruncate the file goes on at its start, and is not full.
        """
        log = LogFile(str(self.path), most=4)
        log.write("one\n")
        os.truncate(self.path, 0)
        log.write("two\n")
        self.assertEqual(self.contents(), {"edge.log": "two\n"})

    def test_folderGone(self) -> None:
        """
        If no file of the right name can be made, lines go into the one that is open.
        """
        log = LogFile(str(self.path), most=4)
        log.write("one\n")
        moved = self.folder.with_name(self.folder.name + "-moved")
        self.folder.rename(moved)
        log.write("two\n")
        log.rotate()
        log.write("three\n")
        self.assertEqual((moved / "edge.log").read_text(), "one\ntwo\nthree\n")

    def test_device(self) -> None:
        """
        A device or a pipe is written to and never renamed.
        """
        os.mkfifo(self.path)
        reading = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        log = LogFile(str(self.path), most=4)
        log.write("one\n")
        log.rotate()
        log.write("two\n")
        self.assertEqual(os.read(reading, 100), b"one\ntwo\n")
        self.assertEqual(os.listdir(self.folder), ["edge.log"])
