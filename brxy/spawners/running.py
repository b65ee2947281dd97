"""
All that one spawner has running.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from brxy.errors import SpawnFailed

__all__ = ["Running", "Stoppable"]


class Stoppable(Protocol):
    """
    What L{Running} holds.
    """

    def stop(self) -> None: ...


class Running:
    """
    All that one spawner has running.
    """

    def __init__(self) -> None:
        self._running: set[Stoppable] = set()
        self._stopping = False
        self._waiting: list[Deferred[None]] = []

    def check(self) -> None:
        """
        May something be started still?

        @raise SpawnFailed: everything is being stopped.
        """
        if self._stopping:
            raise SpawnFailed("the spawner was stopped")

    def add(self, what: Stoppable, over: Deferred[Any]) -> None:
        """
        Something was started.

        @param over: fires when it is gone; its result is passed on.
        """
        self._running.add(what)
        over.addCallback(self._remove, what)

    def stop(self) -> Deferred[None]:
        """
        Stop everything, for good.

        @return: fires when all is gone.
        """
        self._stopping = True
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        for what in list(self._running):
            what.stop()
        self._tell()
        return done

    def _remove(self, result: Any, what: Stoppable) -> Any:
        """
        It is gone.
        """
        self._running.discard(what)
        self._tell()
        return result

    def _tell(self) -> None:
        """
        Tell those that wait, if nothing runs any more.
        """
        if not self._running:
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done.callback(None)
