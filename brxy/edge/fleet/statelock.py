"""
The lock on the state folder.  Without it, two edges could have the same id, and each would end the
instances of the other as left over from an earlier run.
"""

from __future__ import annotations

import errno
import fcntl
import os

from brxy.errors import UsageError
from brxy.program.owners import lockOwner

__all__ = ["StateLock"]

# A file system without locks.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)


class StateLock:
    """
    Holds a folder for one edge, until L{release} or the end of the process, however it ends.

    It is C{flock} on the folder itself: that needs neither room on the disk nor a writable
    folder, passes to the process in the background when twistd makes one, and leaves nothing
    behind.
    """

    def __init__(self, folder: str | None, given: int | None = None) -> None:
        """
        @param folder: is made if it does not exist; L{None}: there is nothing to lock.
        @param given: the descriptor of a lock on it that another process hands on.
        @raise UsageError: another edge has it, or it can't be used.
        """
        self._descriptor: int | None = given
        if folder is None or given is not None:
            return
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            self._lock(folder, self._descriptor)
        except OSError as error:
            raise UsageError(f"--state-dir {folder}: {error.strerror or error}") from None

    def _lock(self, folder: str, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = lockOwner(os.fstat(descriptor))
            pid = "of another user or container" if owner is None else f"process {owner.pid}"
            self.release()
            raise UsageError(
                f"--state-dir {folder}: another edge uses it ({pid}); each edge needs its own"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise

    def fileno(self) -> int | None:
        """
        @return: the descriptor, with which another process holds the lock as well; L{None}
            without a lock.
        """
        return self._descriptor

    def release(self) -> None:
        """
        Let another edge have it.  Does nothing when called again.
        """
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.release()
