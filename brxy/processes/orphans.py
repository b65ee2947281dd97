"""
Orphans: processes whose parents have ended, and which are left to this process.
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from brxy.processes.marks import MARKS

__all__ = ["Orphans"]

# <linux/prctl.h>
_PR_SET_CHILD_SUBREAPER = 36

# Seconds from the end of a child until the orphans are reaped.  By then, the leaders that
# ended have been, and many ends are handled at once.
_PAUSE = 0.05


class Orphans:
    """
    Makes this process the parent of the orphans among its descendants, and reaps these.
    The children of libraries are left to the libraries.

    @param reactor: has to run in the main thread.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._call: IDelayedCall | None = None

    def adopt(self) -> None:
        """
        Begin to adopt orphans.  A process that becomes a daemon calls this afterwards, because a
        fork undoes it.
        """
        # Process 1 is the parent of all orphans anyway.
        if os.getpid() == 1:
            MARKS.markSelf()
        else:
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # The reactor handles SIGCHLD from its start on.
        self._reactor.callWhenRunning(self._watch)
        self._reactor.addSystemEventTrigger("after", "shutdown", _blockChildren)

    def _watch(self) -> None:
        previous: Any = signal.getsignal(signal.SIGCHLD)

        def childEnded(number: int, frame: Any) -> None:
            self._reactor.callFromThread(self._soon)
            if callable(previous):
                previous(number, frame)

        signal.signal(signal.SIGCHLD, childEnded)
        # As Twisted does, for libraries that do not expect to be interrupted.
        signal.siginterrupt(signal.SIGCHLD, False)
        self._soon()

    def _soon(self) -> None:
        if self._call is None:
            self._call = self._reactor.callLater(_PAUSE, self._reap)

    def _reap(self) -> None:
        self._call = None
        if not _anyEnded():
            return
        # Until a launch is over, its leader may look like an orphan.
        again = MARKS.launching
        try:
            for pid in _endedChildren():
                if MARKS.isOrphan(pid):
                    with suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
        except OSError:
            # Out of descriptors.
            again = True
        if again:
            self._soon()


def _blockChildren() -> None:
    """
    Let the end of a child be no signal any more.  The reactor is about to remove its handler, and
    Python complains of a signal that it has received for a handler which is gone.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])


def _anyEnded() -> bool:
    """
    Whether any child of this process waits to be reaped.
    """
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _endedChildren() -> list[int]:
    """
    Return the children that wait to be reaped.
    """
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _hasEnded(int(name))]


def _hasEnded(pid: int) -> bool:
    """
    Whether this is a child that waits to be reaped.
    """
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False
