"""
Watches the tasks of swarm services by listing all of them again and again: a manager has
no events of what happens on other nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from brxy.spawners.api.errors import DaemonError
from brxy.spawners.api.outage import Outage
from brxy.spawners.docker.engine import Engine, labelFilter
from brxy.spawners.docker.removal import removeService

__all__ = ["ORPHANED", "OVER", "Tasks"]

#: The state of a task whose machine is lost.
ORPHANED = "orphaned"

#: The final states of a task, see the API.
OVER = frozenset(["complete", "failed", "rejected", "shutdown", ORPHANED, "remove"])

# The desired states of a task that the swarm ends.
_GIVEN_UP = frozenset(["shutdown", "remove"])

# Seconds between two lists, while there are tasks.
_PAUSE = 0.5


class Tasks:
    """
    The tasks of the services with some labels.

    @param labels: the labels of the services.
    @param listed: called after each list.
    @param needed: returns whether there are tasks to watch.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        engine: Engine,
        labels: Mapping[str, str],
        listed: Callable[[], None],
        needed: Callable[[], bool],
    ) -> None:
        self._reactor = reactor
        self._engine = engine
        self._filters = labelFilter(labels)
        self._listed = listed
        self._needed = needed
        self._work: Deferred[None] | None = None
        self._found: dict[str, list[Any]] = {}
        self._waiting: list[Deferred[None]] = []
        self._doomed: set[str] = set()

    def of(self, service: str) -> Sequence[Any]:
        """
        @param service: the id of a service.
        @return: its tasks in the form of the API, as they were listed last.
        """
        return self._found.get(service, ())

    async def refresh(self) -> None:
        """
        List the tasks now.

        @raise DaemonError: the daemon does not answer.
        """
        tasks = await self._engine.request("GET", "/tasks", filters=self._filters)
        await self._findOrphans([each for each in tasks if _isEnding(each)])
        found: dict[str, list[Any]] = {}
        for each in tasks:
            found.setdefault(each["ServiceID"], []).append(each)
        self._found = found

    async def _findOrphans(self, ending: Sequence[Any]) -> None:
        """
        Mark tasks on lost machines: for a day, the swarm reports that they run.
        """
        if not ending:
            return
        nodes = await self._engine.request("GET", "/nodes")
        there = {each["ID"] for each in nodes if each["Status"]["State"] != "down"}
        for each in ending:
            if each.get("NodeID", "") not in {"", *there}:
                each["Status"]["State"] = ORPHANED

    async def vanished(self, service: str, seconds: float) -> bool:
        """
        Wait until nothing is left of the tasks of a service that was removed,
        on all machines that the swarm can reach.

        @param seconds: the longest time to wait.
        @return: whether nothing is left.
        @raise DaemonError: the daemon does not answer.
        """
        give_up = self._reactor.seconds() + seconds
        while True:
            await self.refresh()
            left = any(each["Status"]["State"] != ORPHANED for each in self.of(service))
            if not left or self._reactor.seconds() > give_up:
                return not left
            await deferLater(self._reactor, _PAUSE)

    def doom(self, name: str) -> None:
        """
        Remove a service when the daemon can be reached again.
        """
        self._doomed.add(name)
        self.follow()

    def follow(self) -> None:
        """
        Begin to list the tasks again and again, while that is needed.
        """
        if self._work is None or self._work.called:
            self._work = Deferred.fromCoroutine(self._follow())
            self._work.addErrback(self._broken)

    def stop(self) -> None:
        """
        Stop watching.
        """
        if self._work is not None:
            self._work.cancel()

    def _broken(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self._log.failure("watching services failed", failure)

    async def _follow(self) -> None:
        outage = Outage(self._log, "{error}", lambda failures: _PAUSE)
        while self._needed() or self._doomed:
            try:
                await self.refresh()
                for name in list(self._doomed):
                    await removeService(self._engine, name)
                    self._doomed.discard(name)
            except DaemonError as error:
                outage.failed(error)
            else:
                outage.ended()
                self._listed()
            await deferLater(self._reactor, _PAUSE)


def _isEnding(task: Any) -> bool:
    """
    Whether a task that is to end still runs.
    """
    return task["DesiredState"] in _GIVEN_UP and task["Status"]["State"] not in OVER
