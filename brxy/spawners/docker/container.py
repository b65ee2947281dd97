"""
An instance that is a container.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from zope.interface import implementer

from brxy.interfaces import Address, ILocalProcess
from brxy.readiness import ANY, Question
from brxy.spawners.api.errors import DaemonError, Refused
from brxy.spawners.docker.ending import exitReason, lastLine, startFailed, unhealthy
from brxy.spawners.docker.engine import Engine
from brxy.spawners.docker.instance import EngineInstance, insist
from brxy.spawners.docker.pulls import Pulls
from brxy.spawners.docker.removal import removeContainer, stopContainer
from brxy.spawners.docker.watch import Watch
from brxy.values.reports import fewReports

__all__ = ["Container", "Daemon", "ContainerPlan"]

# The exit status of what SIGKILL ended.
_KILLED = 128 + 9


@frozen
class Daemon:
    """
    What the containers of one spawner share.

    @ivar watch: reports changes of the containers.
    """

    reactor: Any
    engine: Engine
    watch: Watch
    pulls: Pulls


@frozen
class ContainerPlan:
    """
    How to run a container.

    @ivar name: the name of the container.
    @ivar body: the body of the request that creates it, see the API.
    @ivar pull: when its image is fetched: missing, always, never.
    @ivar port: the port of the app that the edge fronts; L{None}: a node runs in it.
    @ivar stop_timeout: seconds between SIGTERM and SIGKILL.
    @ivar question: what the app must answer.
    @ivar report: called with what is lacking before it is ready.
    """

    name: str
    body: Mapping[str, Any]
    pull: str
    port: int | None
    stop_timeout: int
    question: Question = ANY
    report: Callable[[str], None] = lambda lacking: None


@implementer(ILocalProcess)
class Container(EngineInstance):
    """
    One container.

    @ivar pid: see L{ILocalProcess}.
    """

    pid: int | None = None

    def __init__(self, daemon: Daemon, plan: ContainerPlan) -> None:
        super().__init__()
        self._daemon = daemon
        self._engine = daemon.engine
        self._plan = plan
        self._path = f"/containers/{plan.name}"
        self._report = fewReports(plan.report)

    async def begin(self) -> None:
        """
        See L{EngineInstance}.
        """
        plan = self._plan
        if plan.pull == "always":
            await self._pull()
        try:
            await self._create()
        except Refused as error:
            if error.status != 404 or plan.pull != "missing":
                raise
            await self._pull()
            await self._create()
        self.checkStopping()
        await self._daemon.watch.up()
        self.checkStopping()
        try:
            await self._engine.request("POST", f"{self._path}/start")
        except Refused as error:
            raise DaemonError(startFailed(str(error))) from None

    async def _pull(self) -> None:
        await self.unlessStopped(self._daemon.pulls.pull(self._plan.body["Image"]))

    async def _create(self) -> None:
        await self._engine.request(
            "POST", "/containers/create", self._plan.body, name=self._plan.name
        )

    async def check(self) -> str | None:
        """
        See L{EngineInstance}.
        """
        try:
            found = await self._engine.request("GET", f"{self._path}/json")
        except Refused as error:
            if error.status == 404:
                return "removed by another program"
            raise
        if found["State"]["Running"]:
            self._front(found)
            return None
        return await self._ended(found)

    async def _ended(self, found: Any) -> str:
        state = found["State"]
        if state["OOMKilled"]:
            return "killed, having used up its memory"
        if state["ExitCode"] == _KILLED and found["HostConfig"]["Memory"] and not self.stopping:
            # The daemon learns of the end and of its cause in any order, and only keeps a
            # cause that came first.
            return "killed by SIGKILL, perhaps for having used up its memory"
        line = await lastLine(self._engine, f"{self._path}/logs") if state["ExitCode"] else ""
        return exitReason(state["ExitCode"], line)

    def _front(self, found: Any) -> None:
        """
        Begin to wait until the app answers, unless that was done.  If the image has a
        check of its own, the daemon must have found the container healthy before.
        """
        port = self._plan.port
        if port is None or self.awaited:
            return
        self.lacking = unhealthy(found["State"].get("Health"))
        if self.lacking:
            self._report(self.lacking)
            return
        host = _address(found["NetworkSettings"]["Networks"])
        if host is None:
            raise DaemonError("port= needs a network in which the container has an address")
        if self._engine.local:
            self.pid = found["State"]["Pid"]
        plan = self._plan
        self.awaitReady(self._daemon.reactor, Address(host, port), plan.question, plan.report)

    async def end(self) -> str:
        """
        See L{EngineInstance}.
        """
        never = self._plan.port is not None and not self.ready.called
        self.stopWaiting()
        plan = self._plan
        await insist(
            self._daemon.reactor, lambda: stopContainer(self._engine, plan.name, plan.stop_timeout)
        )
        reason = await self.check() or "stopped"
        lacking = self.lacking or f"port {plan.port} never answered"
        return f"{lacking}; {reason}" if never else reason

    async def clear(self) -> None:
        """
        See L{EngineInstance}.
        """
        self.stopWaiting()
        try:
            await removeContainer(self._engine, self._plan.name)
        except DaemonError:
            self._daemon.watch.doom(self._plan.name)


def _address(networks: Mapping[str, Any]) -> str | None:
    """
    Return the address of a container.
    """
    for each in networks.values():
        for key in ("IPAddress", "GlobalIPv6Address"):
            if each.get(key):
                return str(each[key])
    return None
