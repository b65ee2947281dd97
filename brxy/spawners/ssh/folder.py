"""
The private folder for the sockets through which ssh's clients share a connection.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from brxy.errors import SpawnFailed

__all__ = ["ControlFolder"]

_PREFIX = "brxy-ssh-"

# A unix socket's path has 107 bytes; mkdtemp adds 8 characters to the prefix,
# and ssh a dot and 16 characters to the name while it makes its socket.
_LONGEST_PARENT = 107 - len(f"/{_PREFIX}12345678/999999.1234567890123456")

# Seconds; a younger folder may not be locked yet.
_YOUNG = 60.0


class ControlFolder:
    """
    A folder of this process, made when it is first needed.

    It is locked while this process runs, so that a later process finds and removes the
    folder of a process that was killed.

    @param parent: the folder to make it in, by default that of temporary files.
    """

    def __init__(self, parent: str | None = None) -> None:
        self._parent = tempfile.gettempdir() if parent is None else parent
        if len(os.fsencode(self._parent)) > _LONGEST_PARENT:
            self._parent = "/tmp"
        self._path: Path | None = None
        self._lock = -1
        self._number = 0

    def next(self) -> str:
        """
        @return: a path in the folder that was not used before.
        @raise SpawnFailed: the folder can't be made.
        """
        self._number += 1
        try:
            return str(self._made() / str(self._number))
        except OSError as error:
            raise SpawnFailed(f"no folder in {self._parent}: {error.strerror}") from error

    def remove(self) -> None:
        """
        Remove the folder with everything in it.
        """
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._lock)
            self._path = None

    def _made(self) -> Path:
        if self._path is None:
            self._sweep()
            path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
            self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._path = path
        return self._path

    def _sweep(self) -> None:
        """
        Remove the folders that no process holds any more.
        """
        for path in Path(self._parent).glob(f"{_PREFIX}*"):
            with suppress(OSError):
                self._removeUnheld(path)

    def _removeUnheld(self, path: Path) -> None:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            status = os.fstat(lock)
            if status.st_uid == os.geteuid() and status.st_mtime < time.time() - _YOUNG:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
        finally:
            os.close(lock)
