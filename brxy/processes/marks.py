"""
Marks that show to which launch a process belongs, even if it has left its parent and its session.

A program that goes to the background leaves its parent, its group, its session and its folder,
and may overwrite its environment.  It keeps its resource limits.  The limit RLIMIT_LOCKS has
had no effect since Linux 2.4.25, but each process has it still, and inherits it.  So its soft
value, which is infinite otherwise, is the mark: one number for each launch.

This module imports no more than it needs, see L{brxy.processes.launch}.
"""

from __future__ import annotations

import os
import resource
from _thread import allocate_lock
from collections.abc import Iterator
from contextlib import contextmanager

from brxy.errors import EXHAUSTED

__all__ = ["MARKS", "Marks", "isZombie", "marked", "markOf"]

# <bits/resource.h>; the module C{resource} has no name for it.
_RLIMIT_LOCKS = 10

# Marks are larger than any limit that people set.
_BASE = 1 << 60
_PID_SHIFT = 30

_LIMITS_LINE = b"Max file locks"


class Marks:
    """
    The marks that this process gives to those it launches, and the leaders among these,
    whose ends are reported to the code that launched them.
    """

    def __init__(self) -> None:
        self._lock = allocate_lock()
        # Not looked up again: a thread that launches something changes it for a moment.
        self._own = markOf(0)
        self._count = 0
        self._leaders: set[int] = set()
        self._launching: set[int] = set()

    @contextmanager
    def give(self) -> Iterator[int]:
        """
        Mark what this process starts meanwhile.

        @return: the mark; 0 if it can't be given, because a limit is set already.
        """
        with self._lock:
            soft, hard = resource.prlimit(0, _RLIMIT_LOCKS)
            mark = self._next() if hard == resource.RLIM_INFINITY else 0
            self._launching.add(mark)
            try:
                if mark:
                    resource.prlimit(0, _RLIMIT_LOCKS, (mark, hard))
                yield mark
            finally:
                if mark:
                    resource.prlimit(0, _RLIMIT_LOCKS, (soft, hard))
                self._launching.discard(mark)

    def markSelf(self) -> None:
        """
        Mark this process, and with it the children of its libraries: this distinguishes them from
        processes that come from outside.
        """
        hard = resource.prlimit(0, _RLIMIT_LOCKS)[1]
        if hard == resource.RLIM_INFINITY:
            self._own = self._next()
            resource.prlimit(0, _RLIMIT_LOCKS, (self._own, hard))

    def _next(self) -> int:
        self._count += 1
        return _BASE | os.getpid() << _PID_SHIFT | self._count

    @property
    def launching(self) -> bool:
        """
        Whether a launch is under way: a process whose id is not known yet.
        """
        return bool(self._launching)

    def leads(self, pid: int) -> None:
        """
        Note that this process is a leader.  To be called before L{give} ends.
        """
        self._leaders.add(pid)

    def reaped(self, pid: int) -> None:
        """
        Note that this leader was reaped.
        """
        self._leaders.discard(pid)

    def isOrphan(self, pid: int) -> bool:
        """
        Whether a child of this process was left to it by another process.  The others are
        the leaders, and children of libraries, which share the mark or the session of this
        process.
        """
        mark = markOf(pid)
        # In this order: a leader is known before its launch is over.
        if mark in self._launching or pid in self._leaders:
            return False
        return mark not in (None, self._own) and _apart(pid)


def markOf(pid: int) -> int | None:
    """
    @param pid: 0 means this process.
    @return: the limit of the process; L{None} if there is no such process, or it belongs
        to another user.
    """
    try:
        return resource.prlimit(pid, _RLIMIT_LOCKS)[0]
    except PermissionError:
        # A container's root has no right to the limits of other users by this call.
        return _readMark(pid) if os.geteuid() == 0 else None
    except OSError:
        return None


def _readMark(pid: int) -> int | None:
    """
    Read the soft limit from proc(5).

    @raise OSError: that is not possible now, see L{EXHAUSTED}.
    """
    try:
        with open(f"/proc/{pid}/limits", "rb") as limits:
            for line in limits:
                if line.startswith(_LIMITS_LINE):
                    soft = line[len(_LIMITS_LINE) :].split()[0]
                    return int(soft) if soft.isdigit() else resource.RLIM_INFINITY
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
    return None


def marked(mark: int) -> list[int]:
    """
    @return: the processes with this mark, without zombies.
    @raise OSError: that can't be found out now, see L{EXHAUSTED}.
    """
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if markOf(pid) == mark and not isZombie(pid) and _apart(pid)]


def _apart(pid: int) -> bool:
    """
    Whether a process is in another session than this one.  What an app starts always is;
    what a library starts while this process bears the mark usually is not.
    """
    try:
        return os.getsid(pid) != os.getsid(0)
    except ProcessLookupError:
        return False


def isZombie(pid: int) -> bool:
    """
    Whether a process has ended and waits to be reaped, or was.  See proc(5),
    C{/proc/pid/stat}.

    @raise OSError: that can't be found out now, see L{EXHAUSTED}.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The name before the last parenthesis may hold anything.
            state = stat.read().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return True
    return state in (b"Z", b"X")


#: The marks of this process.
MARKS = Marks()
