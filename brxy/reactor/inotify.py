"""
Reports changes in folders, see inotify(7).

L{twisted.internet.inotify} reports neither why a folder can't be watched nor that the kernel has
lost events.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from struct import Struct
from typing import Any

from brxy.reactor.reader import Reader

__all__ = ["FolderWatcher"]

# <sys/inotify.h>
_ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO = 0x04, 0x08, 0x40, 0x80
_CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x100, 0x200, 0x400, 0x800
_IGNORED, _ONLYDIR = 0x8000, 0x01000000

# Not while a file is being written: its end is an event of its own.
_CHANGES = (
    _ATTRIB
    | _CLOSE_WRITE
    | _MOVED_FROM
    | _MOVED_TO
    | _CREATE
    | _DELETE
    | _DELETE_SELF
    | _MOVE_SELF
)

# The watch, the kind of event, a cookie, and the length of the name that follows.
_EVENT = Struct("iIII")

_READ = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatcher(Reader):
    """
    Watches some folders, not those in them.
    """

    def __init__(self, reactor: Any, changed: Callable[[str | None, str], object]) -> None:
        """
        @param changed: called with a folder and the name in it that has changed.  The name is
            empty if that is the folder itself; the folder is L{None} if any may have changed.
        """
        super().__init__(reactor)
        self._changed = changed
        self._fd = -1
        self._watched: dict[str, int] = {}

    def fileno(self) -> int:
        """
        See L{twisted.internet.interfaces.IReadDescriptor}.
        """
        return self._fd

    def watch(self, folder: str) -> bool:
        """
        Watch a folder.  If it was replaced by another one, that is watched from now on.

        @return: whether it was not watched before.
        @raise OSError: that is not possible.
        """
        if self._fd < 0:
            self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
            self._reactor.addReader(self)
        number = _checked(
            _libc.inotify_add_watch(self._fd, os.fsencode(folder), _CHANGES | _ONLYDIR)
        )
        is_new = self._watched.get(folder) != number
        self._watched[folder] = number
        return is_new

    def keep(self, folders: Collection[str]) -> None:
        """
        Watch no other folders than these any more.
        """
        for folder in self._watched.keys() - folders:
            number = self._watched.pop(folder)
            # Two names may be the same folder.
            if number not in self._watched.values():
                _libc.inotify_rm_watch(self._fd, number)

    def stop(self) -> None:
        """
        Watch nothing any more.
        """
        if self._fd >= 0:
            self._reactor.removeReader(self)
            os.close(self._fd)
            self._fd = -1
        self._watched.clear()

    def doRead(self) -> None:
        """
        Report the changes.
        """
        with suppress(BlockingIOError):
            self._report(os.read(self._fd, _READ))

    def _report(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            name = os.fsdecode(data[at - length : at].rstrip(b"\0"))
            folders = [each for each, watch in self._watched.items() if watch == number]
            if number < 0:
                # The kernel's queue was full.
                self._changed(None, "")
            for folder in folders:
                if mask & _IGNORED:
                    del self._watched[folder]
                self._changed(folder, name)


def _checked(result: int) -> int:
    """
    @raise OSError: the result of a function of the C library is an error.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
