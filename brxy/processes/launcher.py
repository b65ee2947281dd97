"""
A thread that starts processes, so that the reactor does not wait.
"""

from __future__ import annotations

import ctypes
import os
from _thread import start_new_thread
from queue import SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from brxy.errors import SpawnFailed
from brxy.processes.launch import Launch, Launched

__all__ = ["LAUNCHER", "Launcher"]

# <sched.h>
_CLONE_FS = 0x200


class Launcher:
    """
    A thread that starts processes, one after the other.

    The thread ends with this process and not earlier, because a process that is to die
    with its parent dies with the thread that started it.

    @ivar umask: the umask of what it starts; L{None}: that of this process.
    """

    umask: int | None = None

    def __init__(self) -> None:
        self._orders: SimpleQueue[tuple[Any, Launch, Deferred[Launched]]] = SimpleQueue()
        self._runs = False

    def start(self, reactor: Any, launch: Launch) -> Deferred[Launched]:
        """
        Have the thread start a process.

        @return: fires when the process runs, or fails with L{brxy.errors.SpawnFailed}.
        @raise brxy.errors.SpawnFailed: the thread can't be started.
        """
        if not self._runs:
            # Not earlier, because threads are lost when a daemon forks.  And not with
            # C{threading}, which would wait until the new thread runs.
            try:
                start_new_thread(self._work, ())
            except RuntimeError as error:
                # Out of threads or memory: an order later may do better.
                raise SpawnFailed(str(error)) from error
            self._runs = True
        launched: Deferred[Launched] = Deferred()
        self._orders.put((reactor, launch, launched))
        return launched

    def _work(self) -> None:
        separate = False
        while True:
            reactor, launch, launched = self._orders.get()
            result: Launched | Failure
            if self.umask is not None:
                separate = separate or _separateUmask()
                if separate:
                    os.umask(self.umask)
            try:
                result = launch.perform()
            except Exception:
                result = Failure()
            reactor.callFromThread(launched.callback, result)


def _separateUmask() -> bool:
    """
    Give the thread that calls this a umask and a working directory of its own.

    @return: whether that could be done; the sandbox of a container may forbid it.
    """
    return not ctypes.CDLL(None).unshare(_CLONE_FS)


#: The launcher of this process.
LAUNCHER = Launcher()
