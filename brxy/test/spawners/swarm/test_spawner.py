"""
Tests of C{swarm:} on a real swarm of one node: what the suite for all spawners
does not ask.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from brxy.interfaces import SpawnOrder
from brxy.spawners.swarm.spawner import SwarmOptions, SwarmSpawner
from brxy.test.support.docker.containers import ContainerTests
from brxy.test.support.docker.dockerd import MISSING, WEB


class SwarmTests(ContainerTests):
    """
    Services, and how they end.
    """

    if MISSING:
        skip = MISSING

    def setUp(self) -> None:
        super().setUp()
        self.dockerd.joinSwarm()

    def spawner(self, *command: str, **options: str) -> SwarmSpawner:
        """
        One that is stopped after the test.
        """
        all_options = SwarmOptions(**{"image": WEB, **options})
        spawner = SwarmSpawner(all_options, command, self.reactor, self.engine)
        self.addCleanup(spawner.stop)
        return spawner

    def order(self) -> SpawnOrder:
        """
        One instance.
        """
        environment = {"ROUTE": "example.com", "BRXY_EDGE": "tcp:127.0.0.1:9"}
        return SpawnOrder("t1", "example.com", 1, environment, "test")

    async def reason(self, *command: str, **options: str) -> str:
        """
        @return: why an instance was gone.
        """
        return (await self.spawner(*command, **options).spawn(self.order()).gone).reason

    async def services(self) -> list[Any]:
        """
        @return: all there are, as the API has them.
        """
        return list(await self.engine.request("GET", "/services"))

    async def test_reasons(self) -> None:
        """
        What can be wrong is said, nothing is tried again, and nothing is left.
        """
        reasons = await gatherResults(
            [
                Deferred.fromCoroutine(each)
                for each in (
                    self.reason("sh", "-c", "echo ready; echo bad config >&2; exit 3"),
                    self.reason("no-such-program"),
                    self.reason("sh", image="no-such:1"),
                    self.reason("sh", "-c", "exit 0"),
                )
            ]
        )
        self.assertEqual(
            reasons,
            [
                "exit status 3: bad config",
                "can't run 'no-such-program' in the image: No such file or directory",
                "No such image: no-such:1",
                "exit status 0",
            ],
        )
        self.assertEqual(await self.services(), [])

    async def test_noRoom(self) -> None:
        """
        One that no node takes is stopped with the reason that the swarm has.
        """
        self.availability("drain")
        self.addCleanup(self.availability, "active")
        spawner = self.spawner("sleep", "1000")
        instance = spawner.spawn(self.order())
        while not any(each["Status"].get("Err") for each in await self.tasks()):
            await deferLater(self.reactor, 0.1)
        # It does so every half second.
        await spawner.following.refresh()
        instance.stop()
        self.assertRegex((await instance.gone).reason, "^never ran: no suitable node")
        self.assertEqual(await self.services(), [])

    def availability(self, what: str) -> None:
        """
        Have the swarm's node take tasks, or not.
        """
        node = self.dockerd.docker("info", "--format", "{{.Swarm.NodeID}}").stdout.strip()
        self.dockerd.docker("node", "update", "--availability", what, node)

    async def tasks(self) -> list[Any]:
        """
        @return: all there are, as the API has them.
        """
        return list(await self.engine.request("GET", "/tasks"))

    async def test_look(self) -> None:
        """
        A service has its options, labels, an init, and no second try.
        """
        options = {"env": "A=b", "memory": "64m", "cpus": "0.5", "volume": "/usr:/u:ro,v:/v"}
        instance = self.spawner("sleep", "1000", **options).spawn(self.order())
        while not (found := await self.services()):
            await deferLater(self.reactor, 0.02)
        spec = found[0]["Spec"]
        task = spec["TaskTemplate"]
        container = task["ContainerSpec"]
        self.assertEqual(spec["Labels"]["brxy.ticket"], "t1")
        self.assertEqual(task["RestartPolicy"]["Condition"], "none")
        self.assertEqual(container["Args"], ["sleep", "1000"])
        self.assertEqual(
            sorted(container["Env"]), ["A=b", "BRXY_EDGE=tcp:127.0.0.1:9", "ROUTE=example.com"]
        )
        self.assertIs(container["Init"], True)
        self.assertEqual(
            [(each["Type"], each["Target"]) for each in container["Mounts"]],
            [("bind", "/u"), ("volume", "/v")],
        )
        limits = task["Resources"]["Limits"]
        self.assertEqual((limits["MemoryBytes"], limits["NanoCPUs"]), (64 << 20, 5 * 10**8))
        instance.stop()
        await instance.gone
        self.assertEqual(await self.services(), [])

    async def test_noSwarm(self) -> None:
        """
        A daemon that is in no swarm says so.
        """
        self.dockerd.leaveSwarm()
        self.assertRegex(await self.reason("sh"), "^This node is not a swarm manager")
