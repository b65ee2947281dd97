"""
A log file of bounded size, which other programs may move away.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

__all__ = ["LogFile"]


class LogFile:
    """
    A file that is appended to.  When it is full it is renamed to C{NAME.1}, C{NAME.1} to
    C{NAME.2} and so on, and the oldest one is removed.

    If another program, such as logrotate, has renamed or removed the file, or has made
    another one in its place, the next line goes into a file of the right name.  If none
    can be opened, lines still go into the one that is open.

    twistd's own log file keeps all files, and goes on writing to one that was renamed.
    """

    def __init__(self, path: str, most: int = 1_000_000, kept: int = 10) -> None:
        """
        @param most: a file with at least this number of bytes is full.
        @param kept: how many full files are kept.
        @raise OSError: the file can't be opened.
        """
        self._path = Path(os.path.abspath(path))
        self._most = most
        self._kept = kept
        self._descriptor = -1
        self._open(0o666)

    def _open(self, mode: int) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, mode)
        if self._descriptor != -1:
            os.close(self._descriptor)
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self._identity = status.st_dev, status.st_ino
        # A device or a pipe has no size, and is not to be renamed.
        self._is_regular = stat.S_ISREG(status.st_mode)
        self._size = status.st_size

    def _wasMoved(self) -> bool:
        try:
            status = os.stat(self._path)
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def write(self, text: str) -> None:
        """
        Append a text.
        """
        if self._is_regular:
            if self._wasMoved():
                self._reopen()
            elif self._size >= self._most:
                # It may have been truncated.
                self._size = os.fstat(self._descriptor).st_size
                if self._size >= self._most:
                    self.rotate()
        data = text.encode("utf-8", "backslashreplace")
        self._size += len(data)
        while data:
            data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """
        Do nothing: nothing is in a buffer.
        """

    def close(self) -> None:
        """
        Close the file.  It can't be written to any more.
        """
        os.close(self._descriptor)

    def rotate(self) -> None:
        """
        Begin a new file.
        """
        if not self._is_regular:
            return
        if not self._wasMoved():
            # Otherwise the next line tries again.
            self._size = 0
            with suppress(OSError):
                self._rename()
        self._reopen()

    def _rename(self) -> None:
        found = {}
        for each in self._path.parent.iterdir():
            match = re.fullmatch(r"\.([1-9]\d*)", each.name.removeprefix(self._path.name))
            if match and each.name.startswith(self._path.name):
                found[int(match[1])] = each
        for number, each in sorted(found.items(), reverse=True):
            if number >= self._kept:
                each.unlink()
            else:
                each.rename(f"{self._path}.{number + 1}")
        self._path.rename(f"{self._path}.1")

    def _reopen(self) -> None:
        before = os.fstat(self._descriptor)
        mode = stat.S_IMODE(before.st_mode)
        # The umask may have changed since the first file was made.
        with suppress(OSError):
            existed = self._path.exists()
            self._open(mode)
            if not existed:
                os.fchmod(self._descriptor, mode)
