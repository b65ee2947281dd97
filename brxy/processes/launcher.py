"""
A thread that starts processes, so that the reactor does not wait.
"""

from __future__ import annotations

from _thread import start_new_thread
from queue import SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from brxy.processes.launch import Launch, Launched

__all__ = ["LAUNCHER", "Launcher"]


class Launcher:
    """
    A thread that starts processes, one after the other.

    The thread ends with this process and not earlier, because a process that is to die
    with its parent dies with the thread that started it.
    """

    def __init__(self) -> None:
        self._orders: SimpleQueue[tuple[Any, Launch, Deferred[Launched]]] = SimpleQueue()
        self._runs = False

    def start(self, reactor: Any, launch: Launch) -> Deferred[Launched]:
        """
        Have the thread start a process.

        @return: fires when the process runs, or fails with L{brxy.errors.SpawnFailed}.
        """
        if not self._runs:
            # Not earlier, because threads are lost when a daemon forks.  And not with
            # C{threading}, which would wait until the new thread runs.
            self._runs = True
            start_new_thread(self._work, ())
        launched: Deferred[Launched] = Deferred()
        self._orders.put((reactor, launch, launched))
        return launched

    def _work(self) -> None:
        while True:
            reactor, launch, launched = self._orders.get()
            result: Launched | Failure
            try:
                result = launch.perform()
            except Exception:
                result = Failure()
            reactor.callFromThread(launched.callback, result)


#: The launcher of this process.
LAUNCHER = Launcher()
