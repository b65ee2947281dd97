"""
For tests of spawners that run containers: what there is on the tests' own
daemon, and that nothing is left there.
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

#: Stock software, fronted by the edge.
WEB_SPEC = f"image={WEB} port=8000 -- httpd -f -p {{port}} -h /www"

#: A node, in an image of nothing but what is mounted.
NODE_SPEC = f"image={NODE} volume={MOUNTS} -- {PYTHON} -m brxy.node --"


class ContainerTests(ProgramTests):
    """
    Base of tests on the tests' own daemon.

    @ivar dockerd: the daemon.
    @ivar engine: the same, for requests from the test.
    """

    def setUp(self) -> None:
        super().setUp()
        self.dockerd = theDockerd()
        self.engine = Engine(self.reactor, self.dockerd.host)
        self.addCleanup(lambda: Deferred.fromCoroutine(self._removeAll()))

    async def _removeAll(self) -> None:
        for each in await self.containers():
            # A swarm removes what was its own at the same time.
            await removeContainer(self.engine, each["Id"])
        await self.empty()

    async def containers(self, **labels: str) -> list[Any]:
        """
        @return: all containers there are, as the API has them; or those with
            these labels, each C{brxy.} something.
        """
        filters = labelFilter({f"brxy.{name}": value for name, value in labels.items()})
        found = await self.engine.ask("GET", "/containers/json", all=1, filters=filters)
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
        Start a container that is none of ours.

        @return: its name.
        """
        name = f"stranger-{self.folder.name}"
        body = {"Image": WEB, "Cmd": ["sleep", "1000"], "HostConfig": {"Init": True}}
        await self.engine.ask("POST", "/containers/create", body, name=name)
        await self.engine.ask("POST", f"/containers/{name}/start")
        return name

    async def runs(self, name: str) -> bool:
        """
        @return: whether a container runs.
        """
        found = await self.engine.ask("GET", f"/containers/{name}/json")
        return bool(found["State"]["Running"])
