"""
C{docker:} and C{swarm:} pass the suite for spawners.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.trial.unittest import TestCase

from brxy.interfaces import SpawnOrder
from brxy.spawners import docker
from brxy.spawners.engine import Engine, labelFilter
from brxy.spawners.testing import SpawnerTests
from brxy.test.dockerd import MISSING, MOUNTS, NODE, theDockerd
from brxy.test.programs import PYTHON


class _DaemonTests(SpawnerTests):
    """
    What is run by the tests' own daemon.
    """

    #: What the daemon calls them.
    things = "containers"

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        super().setUp()
        dockerd = theDockerd()
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
        filters = labelFilter({f"brxy.{name}": value for name, value in labels.items()})
        found = await self.engine.ask("GET", "/containers/json", all=1, filters=filters)
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
        return (
            f"docker: image={NODE} volume={MOUNTS} -- {PYTHON} -m brxy.node -- {self.appCommand()}"
        )

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return "docker: image=no-such-image pull=never -- sh"
