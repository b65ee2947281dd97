"""
The ends of processes, and of whole process groups, as Linux reports them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.logger import Logger

from brxy.processes.marks import MARKS, isZombie
from brxy.reactor.reader import Reader

__all__ = ["ExitReader", "groupMembers"]


def groupMembers(group: int) -> list[int]:
    """
    Return the processes of a group whose leader was reaped; an empty list for a new
    group with the same number.  While a process of the old group is left, the kernel
    gives no new process the number of its leader.

    Zombies don't count: orphans wait for process 1 to reap them, which may
    take seconds, or for ever in a container.  When this process is process 1, they are
    reaped here.

    @raise OSError: that can't be found out now, see L{brxy.errors.EXHAUSTED}.
    """
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []
    except PermissionError:
        pass
    members = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    members = [pid for pid in members if _livesIn(pid, group)]
    return [] if group in members else members


def _livesIn(pid: int, group: int) -> bool:
    """
    Whether a process is in the group and not a zombie.
    """
    try:
        # Reading the file of each process of the machine takes ten times longer.
        return os.getpgid(pid) == group and not isZombie(pid)
    except ProcessLookupError:
        return False


class ExitReader(Reader):
    """
    Reports the end of a child, and reaps it.
    """

    _log = Logger()

    def __init__(self, reactor: Any, pid: int, pidfd: int, ended: Callable[[int], None]):
        """
        @param ended: called once with the exit status, or with the negative
            number of the signal that killed it.
        """
        super().__init__(reactor)
        self._pid = pid
        self._pidfd = pidfd
        self._ended = ended

    def fileno(self) -> int:
        """
        See L{twisted.internet.interfaces.IReadDescriptor}.
        """
        return self._pidfd

    def doRead(self) -> None:
        """
        The child has ended: reap it, and report its status.
        """
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            self._log.warn("process {pid} was reaped already", pid=self._pid)
            pid, status = self._pid, 255 << 8
        if pid:
            MARKS.reaped(pid)
            self._reactor.removeReader(self)
            os.close(self._pidfd)
            self._pidfd = -1
            self._ended(os.waitstatus_to_exitcode(status))
