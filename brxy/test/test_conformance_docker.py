"""
C{docker:} and C{swarm:} pass the suite for spawners.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.trial.unittest import TestCase

from brxy.interfaces import SpawnOrder
from brxy.spawners import docker, swarm
from brxy.spawners.engine import Engine, labelFilter
from brxy.spawners.testing import SpawnerTests
from brxy.test.dockerd import MISSING, MOUNTS, NODE, theDockerd
from brxy.test.programs import PYTHON

# Where no edge is, but what the suite puts in its place, a node does not drain.
_NODE = f"{PYTHON} -m brxy.node --drain-timeout 1 --"


def _filter(labels: Mapping[str, str]) -> str:
    return labelFilter({f"brxy.{name}": value for name, value in labels.items()})


class _DaemonTests(SpawnerTests):
    """
    What is run by the tests' own daemon.
    """

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        super().setUp()
        self.dockerd = dockerd = theDockerd()
        self.engine = Engine(self.reactor, dockerd.host)
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = dockerd.host
        if before is None:
            self.addCleanup(os.environ.pop, "DOCKER_HOST")
        else:
            self.addCleanup(os.environ.update, {"DOCKER_HOST": before})

    def nodePort(self, name: str) -> str:
        """
        See L{SpawnerTests}.
        """
        (self.folder / name).mkdir(exist_ok=True)
        return f"unix:{self.folder}/{name}/socket"

    async def _find(self, **labels: str) -> list[Mapping[str, Any]]:
        found = await self.engine.ask("GET", "/containers/json", all=1, filters=_filter(labels))
        return list(found)

    async def left(self) -> Sequence[str]:
        """
        See L{SpawnerTests}.
        """
        return [str(each["Names"]) for each in await self._find()]

    async def kill(self, order: SpawnOrder) -> None:
        """
        See L{SpawnerTests}.
        """
        [found] = await self._find(ticket=order.ticket)
        await self.engine.ask("POST", f"/containers/{found['Id']}/kill")

    async def remove(self) -> None:
        """
        See L{SpawnerTests}.
        """
        for each in await self._find():
            await self.engine.ask("DELETE", f"/containers/{each['Id']}", force=1)


class FrontedDockerTests(_DaemonTests, TestCase):
    """
    C{docker:} passes with an image that knows nothing of us.
    """

    if MISSING:
        skip = MISSING

    factory = docker.factory

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"docker: image={NODE} port=8000 volume={MOUNTS} -- {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"docker: image={NODE} port=8000 -- no-such-program"


class NodeDockerTests(_DaemonTests, TestCase):
    """
    C{docker:} passes with a node in the image.
    """

    if MISSING:
        skip = MISSING

    factory = docker.factory

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"docker: image={NODE} volume={MOUNTS} -- {_NODE} {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return "docker: image=no-such-image pull=never -- sh"


class SwarmTests(_DaemonTests, TestCase):
    """
    C{swarm:} passes.
    """

    if MISSING:
        skip = MISSING

    factory = swarm.factory

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        super().setUp()
        self.dockerd.joinSwarm()

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"swarm: image={NODE} volume={MOUNTS} -- {_NODE} {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return "swarm: image=no-such-image -- sh"

    async def _services(self, **labels: str) -> list[Any]:
        found = await self.engine.ask("GET", "/services", filters=_filter(labels))
        return list(found)

    async def left(self) -> Sequence[str]:
        """
        See L{SpawnerTests}.  The swarm removes the containers of tasks that are
        over at its leisure.
        """
        running = await self.engine.ask("GET", "/containers/json")
        return [str(each) for each in (*await self._services(), *running)]

    async def kill(self, order: SpawnOrder) -> None:
        """
        See L{SpawnerTests}.
        """
        [service] = await self._services(ticket=order.ticket)
        for each in await self.engine.ask("GET", "/tasks"):
            if each["ServiceID"] == service["ID"]:
                container = each["Status"]["ContainerStatus"]["ContainerID"]
                await self.engine.ask("POST", f"/containers/{container}/kill")

    async def remove(self) -> None:
        """
        See L{SpawnerTests}.
        """
        for each in await self._services():
            await self.engine.ask("DELETE", f"/services/{each['ID']}")
        await super().remove()
