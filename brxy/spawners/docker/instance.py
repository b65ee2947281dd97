"""
The life of an instance that a daemon runs, from its order until nothing of it is left.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from brxy.errors import SpawnFailed
from brxy.interfaces import Gone
from brxy.spawners.api.errors import DaemonError, Unreachable
from brxy.spawners.instance import BaseInstance

__all__ = ["EngineInstance", "insist"]

# Seconds for which a request to a daemon that went away is repeated, and between two
# attempts.  A daemon that restarts is back within three seconds.
_INSIST = 10.0
_PAUSE = 0.5


async def insist(reactor: Any, request: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """
    Repeat a request while the daemon is away for a moment.

    @raise DaemonError: it was refused, or the daemon did not come back.
    """
    give_up = reactor.seconds() + _INSIST
    while True:
        try:
            return await request()
        except Unreachable:
            if reactor.seconds() > give_up:
                raise
        await deferLater(reactor, _PAUSE)


class EngineInstance(BaseInstance):
    """
    One instance.  A subclass implements the requests to the daemon.

    @ivar stopping: the instance is being stopped.
    @ivar detached: the instance is gone, but may go on where the daemon can't reach it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False
        self.detached = False
        self._check_again = False
        self._idle: Deferred[None] | None = None
        self._waiting: Deferred[Any] | None = None

    # For subclasses to implement

    async def begin(self) -> None:
        """
        Have the daemon run the instance.  C{stopping} may become true meanwhile.

        @raise DaemonError: the daemon can't run it.
        """
        raise NotImplementedError

    async def check(self) -> str | None:
        """
        Check the state of the instance.

        @return: how it ended; L{None} if it still runs.
        @raise DaemonError: the state is not known.
        """
        raise NotImplementedError

    async def end(self) -> str:
        """
        Stop the instance, in the end by force.

        @return: how it ended.
        @raise DaemonError: it can't be stopped.
        """
        raise NotImplementedError

    async def clear(self) -> None:
        """
        Remove what is left.
        """
        raise NotImplementedError

    # Its life

    def start(self, found: bool = False) -> None:
        """
        Start the instance.

        @param found: it runs already.
        """
        self.live(self._live(found))

    def stop(self) -> None:
        """
        See L{brxy.interfaces.IInstance}.
        """
        if not self.stopping:
            self.stopping = True
            if self._waiting is not None:
                self._waiting.cancel()
            self.checkAgain()

    def checkAgain(self) -> None:
        """
        Check the state of the instance again, because it may have changed.
        """
        self._check_again = True
        if self._idle is not None:
            idle, self._idle = self._idle, None
            idle.callback(None)

    async def unlessStopped(self, what: Deferred[Any]) -> None:
        """
        Wait for something, but not longer than until the instance is stopped.

        @raise CancelledError: the instance is being stopped.
        """
        self._waiting = what
        try:
            self.checkStopping()
            await what
        finally:
            self._waiting = None
        self.checkStopping()

    def checkStopping(self) -> None:
        """
        @raise CancelledError: the instance is being stopped.
        """
        if self.stopping:
            raise CancelledError()

    async def _live(self, found: bool) -> Gone:
        try:
            reason = await self._serve(found)
        except CancelledError:
            reason = "stopped before it was started"
        except (DaemonError, SpawnFailed) as error:
            reason = str(error)
        await self.clear()
        return Gone(reason, self.detached)

    async def _serve(self, found: bool) -> str:
        self.checkStopping()
        if not found:
            await self.begin()
        while not self.stopping:
            self._check_again = False
            reason = await self._checkOnce()
            if reason is not None:
                return reason
            if not self._check_again:
                self._idle = Deferred()
                await self._idle
        return await self.end()

    async def _checkOnce(self) -> str | None:
        try:
            return await self.check()
        except Unreachable:
            # Another check follows when the daemon is back.
            return None
