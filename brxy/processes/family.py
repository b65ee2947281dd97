"""
All processes that descend from one launch.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from brxy.errors import EXHAUSTED
from brxy.processes.groups import groupMembers
from brxy.processes.launch import Launched, signalGroup
from brxy.processes.marks import isZombie, marked, markOf

__all__ = ["Family"]


class Family:
    """
    A leader, its group, and the processes that have left the group, if the launch marked
    them.

    @ivar led: the leader is still running.
    """

    def __init__(self, launched: Launched) -> None:
        self.led = True
        self._group = launched.pid
        self._mark = launched.mark
        self._cgroup = launched.cgroup

    def members(self) -> list[int]:
        """
        @return: the processes that are left when the leader has ended.
        @raise OSError: that can't be found out now, see L{EXHAUSTED}.
        """
        return [*groupMembers(self._group), *self.strays()]

    def strays(self) -> list[int]:
        """
        @return: the processes that have left the group.
        @raise OSError: as for L{members}.
        """
        found = set(marked(self._mark)) if self._mark else set()
        if self._cgroup is not None:
            found.update(pid for pid in self._cgroup.members() if not isZombie(pid))
        return sorted(pid for pid in found if _groupOf(pid) not in (self._group, None))

    def signalGroup(self, number: int) -> None:
        """
        Signal the group, unless its number may belong to another group by now.
        """
        with suppress(OSError):
            if self.led or groupMembers(self._group):
                signalGroup(self._group, number)

    def signalStrays(self, number: int) -> None:
        """
        Signal the processes that have left the group.
        """
        with suppress(OSError):
            for pid in self.strays():
                self._signalStray(pid, number)

    def kill(self) -> None:
        """
        Send SIGKILL to all these processes.
        """
        if self._cgroup is not None:
            self._cgroup.kill()
        self.signalGroup(signal.SIGKILL)
        self.signalStrays(signal.SIGKILL)

    def close(self) -> None:
        """
        Release the control group: no process is left.
        """
        if self._cgroup is not None:
            self._cgroup.remove()

    def _signalStray(self, pid: int, number: int) -> None:
        """
        Signal one process.  It is checked again after it is held by a descriptor, because
        its number may belong to another process by now.
        """
        try:
            descriptor = os.pidfd_open(pid)
        except OSError as error:
            if error.errno in EXHAUSTED and markOf(pid) == self._mark:
                os.kill(pid, number)
            return
        try:
            if markOf(pid) == self._mark or self._contains(pid):
                with suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)

    def _contains(self, pid: int) -> bool:
        return self._cgroup is not None and pid in self._cgroup.members()


def _groupOf(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
