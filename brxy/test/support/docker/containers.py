"""
Helpers for tests of spawners that run containers: the containers on the tests'
own daemon, and a check that none is left.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from brxy.spawners.docker.engine import Engine, labelFilter
from brxy.spawners.docker.removal import removeContainer
from brxy.test.support.docker.dockerd import MOUNTS, NODE, WEB, theDockerd
from brxy.test.support.processes.programs import ANYWHERE, PYTHON, TWISTD, Program, ProgramTests

__all__ = ["NODE_SPEC", "WEB_SPEC", "ContainerTests"]

#: An unmodified web server, fronted by the edge.
WEB_SPEC = f"image={WEB} port=8000 -- httpd -f -p {{port}} -h /www"

#: A node, in an empty image with mounted folders.
NODE_SPEC = f"image={NODE} volume={MOUNTS} -- {PYTHON} -m brxy.node --"


class ContainerTests(ProgramTests):
    """
    Base of tests on the tests' own daemon.

    @ivar dockerd: the daemon.
    @ivar engine: an API client of the daemon, for requests from the test.
    """

    def setUp(self) -> None:
        super().setUp()
        self.dockerd = theDockerd()
        self.engine = Engine(self.reactor, self.dockerd.host)
        self.addCleanup(lambda: Deferred.fromCoroutine(self._removeAll()))

    async def _removeAll(self) -> None:
        for each in await self.containers():
            # A swarm removes its own containers at the same time.
            await removeContainer(self.engine, each["Id"])
        await self.empty()

    async def containers(self, **labels: str) -> list[Any]:
        """
        @return: all containers on the daemon, as the API returns them; or
            those with these labels, whose names get the prefix C{brxy.}.
        """
        filters = labelFilter({f"brxy.{name}": value for name, value in labels.items()})
        found = await self.engine.request("GET", "/containers/json", all=1, filters=filters)
        return list(found)

    async def empty(self) -> None:
        """
        Wait until there is no container.
        """
        while await self.containers():
            await deferLater(self.reactor, 0.05)

    def dockerEdge(self, spawn: str, *arguments: str) -> Program:
        """
        Start an edge that uses the daemon.
        """
        port = ("--port", ANYWHERE)
        return self.start(
            *(TWISTD, "-n", "brxy-edge", *port, "--spawn", spawn, *arguments),
            DOCKER_HOST=self.dockerd.host,
        )

    async def stranger(self) -> str:
        """
        Start a container that does not belong to brxy.

        @return: its name.
        """
        name = f"stranger-{self.folder.name}"
        body = {"Image": WEB, "Cmd": ["sleep", "1000"], "HostConfig": {"Init": True}}
        await self.engine.request("POST", "/containers/create", body, name=name)
        await self.engine.request("POST", f"/containers/{name}/start")
        return name

    async def runs(self, name: str) -> bool:
        """
        @return: whether a container runs.
        """
        found = await self.engine.request("GET", f"/containers/{name}/json")
        return bool(found["State"]["Running"])
