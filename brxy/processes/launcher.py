"""
Starting processes without keeping the reactor waiting.
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

    It ends with this process, and not before: what is to die with its parent
    dies with the thread that started it.
    """

    def __init__(self) -> None:
        self._orders: SimpleQueue[tuple[Any, Launch, Deferred[Launched]]] = SimpleQueue()
        self._runs = False

    def start(self, reactor: Any, launch: Launch) -> Deferred[Launched]:
        """
        Start a process soon.

        @return: fires when it runs, or fails with L{brxy.errors.SpawnFailed}.
        """
        if not self._runs:
            # Not sooner: threads are lost when a daemon forks.  And not by
            # C{threading}, which would wait until the new thread has its turn.
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


# The one of this process.
LAUNCHER = Launcher()
