"""
Watches containers by one stream of events for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from brxy.spawners.api.errors import DaemonError, Unreachable
from brxy.spawners.api.outage import Outage
from brxy.spawners.docker.engine import Engine, labelFilter
from brxy.spawners.docker.removal import removeContainer

__all__ = ["Watch"]

# Seconds after which the stream is opened again and the state of every container is
# checked, which finds any change that was missed.
_RENEW = 300.0


class Watch:
    """
    Reports changes of the containers with some labels.

    @param changed: called with the name of a container that may have changed; with C{""}
        if any of them may have.
    @param renew: seconds after which the stream is opened again.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        engine: Engine,
        labels: Mapping[str, str],
        changed: Callable[[str], None],
        renew: float = _RENEW,
    ) -> None:
        self._reactor = reactor
        self._engine = engine
        self._labels = labels
        self._changed = changed
        self._renew = renew
        self._outage = Outage(self._log, "{error}", backoffPolicy(0.2, 30.0))
        self._work: Deferred[None] | None = None
        self._pause: Deferred[None] | None = None
        self._is_up = False
        self._waiting: list[Deferred[None]] = []
        self._doomed: set[str] = set()

    async def up(self) -> None:
        """
        Wait until the stream is open.  From then on no change is missed.

        @raise DaemonError: it can't be opened now.
        """
        if self._is_up:
            return
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        if self._work is None:
            self._work = Deferred.fromCoroutine(self._follow())
            self._work.addErrback(self._ended)
        else:
            self._wake()
        await waiting

    def doom(self, name: str) -> None:
        """
        Remove a container when the daemon can be reached again.
        """
        self._doomed.add(name)

    def stop(self) -> None:
        """
        Stop watching.
        """
        if self._work is not None:
            self._work.cancel()

    def _ended(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self._log.failure("watching containers failed", failure)

    async def _follow(self) -> None:
        while True:
            try:
                await self._once()
            except DaemonError as error:
                self._is_up = False
                pause = self._outage.failed(error)
                self._fireWaiting(error)
                await self._rest(pause)

    async def _once(self) -> None:
        """
        Receive one stream to its end.
        """
        filters = labelFilter(
            self._labels, type=["container"], event=["die", "destroy", "health_status"]
        )
        stream = await self._engine.follow("GET", "/events", self._event, filters=filters)
        self._outage.ended()
        if not self._is_up:
            self._is_up = True
            self._log.debug("following the containers of {labels}", labels=self._labels)
        self._fireWaiting(None)
        # There are no events of what happened while there was no stream.
        self._changed("")
        try:
            await self._removeDoomed()
        except BaseException:
            stream.close()
            raise
        await self._engine.ended(stream, timeout=self._renew)

    async def _removeDoomed(self) -> None:
        for name in list(self._doomed):
            await removeContainer(self._engine, name)
            self._doomed.discard(name)

    def _event(self, event: Any) -> None:
        try:
            name = event["Actor"]["Attributes"]["name"]
        except (KeyError, TypeError):
            raise Unreachable("an event names no container") from None
        self._changed(str(name))

    def _fireWaiting(self, error: DaemonError | None) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if error is None:
                each.callback(None)
            else:
                each.errback(error)

    async def _rest(self, seconds: float) -> None:
        self._pause = Deferred()
        timer = self._reactor.callLater(seconds, self._wake)
        try:
            await self._pause
        finally:
            self._pause = None
            if timer.active():
                timer.cancel()

    def _wake(self) -> None:
        if self._pause is not None:
            pause, self._pause = self._pause, None
            pause.callback(None)
