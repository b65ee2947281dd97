"""
An instance that is a service of a swarm, with one task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brxy.spawners.api.errors import DaemonError
from brxy.spawners.docker.ending import exitReason, lastLine, startFailed
from brxy.spawners.docker.engine import Engine
from brxy.spawners.docker.instance import EngineInstance, insist
from brxy.spawners.docker.removal import removeService
from brxy.spawners.swarm.tasks import ORPHANED, OVER, Tasks
from brxy.values.text import oneLine

__all__ = ["Service", "isAlive"]

# The reason for which the end of a task is not known.
_LOST = "its machine is lost to the swarm"

# Seconds that a swarm needs to stop a task, beside the time of the task itself.
_MARGIN = 30.0


def isAlive(tasks: Sequence[Any]) -> bool:
    """
    Whether a service has its one task, and this runs.  A task that the swarm starts in
    place of one that is over was not ordered.
    """
    return len(tasks) == 1 and tasks[0]["Status"]["State"] not in OVER


class Service(EngineInstance):
    """
    One service.

    @param name: the name of the service.
    @param body: the body of the request that creates it, see the API.
    @param stop_timeout: seconds between SIGTERM and SIGKILL.
    @param service: the id of the service, if it exists already.
    """

    def __init__(
        self,
        reactor: Any,
        engine: Engine,
        tasks: Tasks,
        name: str,
        body: Mapping[str, Any],
        stop_timeout: int,
        service: str = "",
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._engine = engine
        self._tasks = tasks
        self._name = name
        self._body = body
        self._stop_timeout = stop_timeout
        self._id = service
        self._seen = False

    async def begin(self) -> None:
        """
        See L{EngineInstance}.
        """
        self._id = (await self._engine.request("POST", "/services/create", self._body))["ID"]
        self._tasks.follow()

    async def check(self) -> str | None:
        """
        See L{EngineInstance}.
        """
        tasks = self._tasks.of(self._id)
        if not tasks:
            return "removed by another program" if self._seen else None
        self._seen = True
        return None if isAlive(tasks) else await self._reason(tasks)

    async def _reason(self, tasks: Sequence[Any]) -> str:
        status = tasks[0]["Status"]
        if len(tasks) > 1 or status["State"] == ORPHANED:
            self.detached = True
            return _LOST
        code = status.get("ContainerStatus", {}).get("ExitCode", 0)
        if status["State"] == "complete" or code:
            line = await lastLine(self._engine, f"/services/{self._id}/logs") if code else ""
            return exitReason(code, line)
        return startFailed(oneLine(status.get("Err") or status["State"]))

    async def end(self) -> str:
        """
        See L{EngineInstance}.
        """
        tasks = self._tasks.of(self._id)
        await insist(self._reactor, self._remove)
        if self._tasks.of(self._id):
            self.detached = True
            return _LOST
        status = tasks[0]["Status"] if tasks else {}
        if status.get("Err"):
            return f"never ran: {oneLine(status['Err'])}"
        return "stopped"

    async def _remove(self) -> None:
        await removeService(self._engine, self._name)
        limit = self._stop_timeout + _MARGIN
        if self._id and not await self._tasks.vanished(self._id, limit):
            raise DaemonError(f"the swarm did not end {self._name} within {limit:g} s")

    async def clear(self) -> None:
        """
        See L{EngineInstance}.
        """
        try:
            await self._remove()
        except DaemonError as error:
            self._log.warn("{error}", error=error)
            self._tasks.doom(self._name)
