"""
What the suite for spawners has to know when a Docker daemon, or a swarm of
them, runs the instances.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from brxy.interfaces import SpawnOrder
from brxy.spawners.docker.engine import Engine, labelFilter
from brxy.spawners.docker.removal import removeContainer, removeService
from brxy.spawners.swarm import spawner as swarm
from brxy.spawners.testing.bed import SpawnerBed
from brxy.test.support.docker.dockerd import MOUNTS, NODE, Dockerd, theDockerd
from brxy.test.support.processes.programs import PYTHON

__all__ = ["DaemonBed", "NODE_COMMAND", "SwarmBed"]

#: A node in a container. It does not drain when it finds the suite's substitute in place of an
#: edge.
NODE_COMMAND = f"{PYTHON} -m brxy.node --drain-timeout 1 --"


def _filter(labels: Mapping[str, str]) -> str:
    return labelFilter({f"brxy.{name}": value for name, value in labels.items()})


class DaemonBed(SpawnerBed):
    """
    What the suite has to know about the tests' own daemon.

    @ivar engine: an API client of that daemon, for requests from the test.
    """

    def daemons(self) -> Sequence[Dockerd]:
        """
        @return: all daemons that may run instances; the first one gets the
            requests.
        """
        return [theDockerd()]

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        super().setUp()
        daemons = self.daemons()
        self.engines = [Engine(self.reactor, each.host) for each in daemons]
        self.engine = self.engines[0]
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = daemons[0].host
        if before is None:
            self.addCleanup(os.environ.pop, "DOCKER_HOST")
        else:
            self.addCleanup(os.environ.update, {"DOCKER_HOST": before})

    def nodePort(self, name: str) -> str:
        """
        See L{SpawnerBed}.
        """
        (self.folder / name).mkdir(exist_ok=True)
        return f"unix:{self.folder}/{name}/socket"

    async def _find(self, **labels: str) -> list[Mapping[str, Any]]:
        found = await self.engine.request(
            "GET", "/containers/json", all=1, filters=_filter(labels)
        )
        return list(found)

    async def left(self) -> Sequence[str]:
        """
        See L{SpawnerBed}.
        """
        return [str(each["Names"]) for each in await self._find()]

    async def kill(self, order: SpawnOrder) -> None:
        """
        See L{SpawnerBed}.
        """
        [found] = await self._find(ticket=order.ticket)
        await self.engine.request("POST", f"/containers/{found['Id']}/kill")

    async def remove(self) -> None:
        """
        See L{SpawnerBed}.
        """
        for each in await self._find():
            # A swarm removes its own containers at the same time.
            await removeContainer(self.engine, each["Id"])
        await self.nothingLeft()


class SwarmBed(DaemonBed):
    """
    What the suite has to know about a swarm of the tests' own daemons.
    """

    factory = swarm.factory

    def spec(self) -> str:
        """
        See L{SpawnerBed}.
        """
        return f"swarm: image={NODE} volume={MOUNTS} -- {NODE_COMMAND} {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerBed}.
        """
        return "swarm: image=no-such-image -- sh"

    async def services(self, **labels: str) -> list[Any]:
        """
        @return: the services with these labels, whose names get the prefix
            C{brxy.}, as the API returns them.
        """
        found = await self.engine.request("GET", "/services", filters=_filter(labels))
        return list(found)

    async def left(self) -> Sequence[str]:
        """
        See L{SpawnerBed}. The swarm removes the containers of finished tasks
        after a while.
        """
        running = [await each.request("GET", "/containers/json") for each in self.engines]
        return [str(each) for each in (*await self.services(), *sum(running, []))]

    async def kill(self, order: SpawnOrder) -> None:
        """
        See L{SpawnerBed}.
        """
        [service] = await self.services(ticket=order.ticket)
        label = labelFilter({"com.docker.swarm.service.id": service["ID"]})
        # Ask the machines, because the manager may learn of a container only after its node has
        # dialled in.
        for engine in self.engines:
            for each in await engine.request("GET", "/containers/json", filters=label):
                await engine.request("POST", f"/containers/{each['Id']}/kill")

    async def remove(self) -> None:
        """
        See L{SpawnerBed}.
        """
        for each in await self.services():
            await removeService(self.engine, each["ID"])
        await super().remove()
