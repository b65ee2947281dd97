"""
The instances that one spawner has running.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from brxy.errors import SpawnFailed

__all__ = ["Running", "Stoppable"]


class Stoppable(Protocol):
    """
    Anything that L{Running} can stop.
    """

    def stop(self) -> None: ...


class Running:
    """
    The instances that one spawner has running, to stop all of them.
    """

    def __init__(self) -> None:
        self._running: set[Stoppable] = set()
        self._stopping = False
        self._waiting: list[Deferred[None]] = []

    def check(self) -> None:
        """
        Check that instances may still be started.

        @raise SpawnFailed: all are being stopped.
        """
        if self._stopping:
            raise SpawnFailed("the spawner was stopped")

    def add(self, what: Stoppable, over: Deferred[Any]) -> None:
        """
        An instance was started.

        @param over: fires when it is gone; its result is passed on.
        """
        self._running.add(what)
        over.addCallback(self._remove, what)

    def stop(self) -> Deferred[None]:
        """
        Stop all instances, and start no more.

        @return: fires when all are gone.
        """
        self._stopping = True
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        for what in list(self._running):
            what.stop()
        self._fireIfEmpty()
        return done

    def _remove(self, result: Any, what: Stoppable) -> Any:
        self._running.discard(what)
        self._fireIfEmpty()
        return result

    def _fireIfEmpty(self) -> None:
        if not self._running:
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done.callback(None)
