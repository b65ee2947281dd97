"""
A control group of Linux, version 2, for each app, where this process may make one.

That is so for root, and in a unit of systemd with C{Delegate=yes}.

This module imports no more than it needs, see L{brxy.processes.launch}.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from errno import EACCES, ENOENT, EPERM, EROFS

from brxy.errors import EXHAUSTED
from brxy.processes.marks import marked

__all__ = ["Cgroup", "newCgroup"]

# Errors that will not go away.
_FORBIDDEN = (EACCES, ENOENT, EPERM, EROFS)

# How often children are searched for that a process has started before it was moved.
_ROUNDS = 5


class Cgroup:
    """
    One control group, with those that its processes have made below it.

    @param path: its folder.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def add(self, pid: int) -> None:
        """
        Move a process into it.

        @raise OSError: that is not allowed, or the process has ended.
        """
        self._write("cgroup.procs", str(pid))

    def members(self) -> list[int]:
        """
        @return: its processes.
        """
        found: list[int] = []
        for folder, _, _ in os.walk(self.path):
            with suppress(OSError), open(os.path.join(folder, "cgroup.procs"), "rb") as procs:
                found += map(int, procs.read().split())
        return found

    def kill(self) -> None:
        """
        Send SIGKILL to all of its processes at once, including those that are being forked.  Linux
        before 5.14 can't do that.
        """
        with suppress(OSError):
            self._write("cgroup.kill", "1")

    def remove(self) -> None:
        """
        Remove it, if it has no process any more.
        """
        for folder, _, _ in os.walk(self.path, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)

    def _write(self, name: str, text: str) -> None:
        # Opened without O_CREAT, which such a folder does not allow.
        descriptor = os.open(os.path.join(self.path, name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


class _Maker:
    """
    Makes control groups below that of this process.
    """

    def __init__(self) -> None:
        self._home: str | None = None
        self._found = False
        self._count = 0

    def make(self) -> Cgroup | None:
        """
        @return: a new one; L{None} if this process may not make one.
        """
        if not self._found:
            try:
                self._home = _home()
            except OSError as error:
                self._found = error.errno not in EXHAUSTED
                return None
            self._found = True
            self._removeOld()
        if self._home is None:
            return None
        self._count += 1
        made = Cgroup(os.path.join(self._home, f"brxy-{os.getpid()}-{self._count}"))
        try:
            os.mkdir(made.path)
        except OSError as error:
            if error.errno in _FORBIDDEN:
                self._home = None
            return None
        return made

    def _removeOld(self) -> None:
        """
        Remove what others that were killed have left, if it is empty.
        """
        home = self._home
        if home is None:
            return
        with suppress(OSError):
            for name in os.listdir(home):
                parts = re.fullmatch(r"brxy-(\d+)-\d+", name)
                if parts and not os.path.exists(f"/proc/{parts[1]}"):
                    Cgroup(os.path.join(home, name)).remove()


def _home() -> str | None:
    """
    Find the folder of this process's own control group.

    @raise OSError: what the kernel says about that can't be read.
    """
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as groups:
        own = next((line[3:].rstrip("\n") for line in groups if line.startswith("0::")), None)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        lines = [line.split() for line in mounts]
    for words in lines:
        # See proc(5): the fields after a single dash describe the file system.
        if own is None or words[words.index("-") + 1] != "cgroup2":
            continue
        root, where = words[3].rstrip("/"), words[4]
        if own == root or own.startswith(root + "/"):
            return os.path.join(where, own[len(root) :].lstrip("/"))
    return None


_MAKER = _Maker()


def newCgroup(pid: int, mark: int) -> Cgroup | None:
    """
    Make a control group, and move a process into it.

    @param mark: that of the process, which may have children already.
    @return: L{None} if that is not possible here.
    """
    made = _MAKER.make()
    if made is None:
        return None
    try:
        made.add(pid)
    except OSError:
        made.remove()
        return None
    # What those start that are in it is in it, too.
    for _ in range(_ROUNDS if mark else 0):
        if not _moveRest(made, mark):
            break
    return made


def _moveRest(made: Cgroup, mark: int) -> bool:
    """
    Move the children of a process that was moved.

    @return: whether there were any.
    """
    moved = False
    with suppress(OSError):
        for each in set(marked(mark)).difference(made.members()):
            moved = True
            with suppress(OSError):
                made.add(each)
    return moved
