"""
Tests of C{swarm:} on a real swarm of two machines, each a network namespace with
a daemon of its own.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.trial.unittest import TestCase

from brxy.processes.ports import PORTS
from brxy.spawners.testing import SpawnerTests
from brxy.spawners.testing.tools import Client, EdgeProcess
from brxy.test.support.docker.daemonbeds import NODE_COMMAND, SwarmBed
from brxy.test.support.docker.dockerd import MISSING, MOUNTS, NODE, Dockerd
from brxy.test.support.docker.swarmnodes import theSwarm
from brxy.test.support.loopback.tiers import tier
from brxy.test.support.processes.programs import TWISTD

__all__ = ["HostNetworkTests", "OverlayTests", "RemoteDockerTests"]


class _Bed(SwarmBed):
    """
    Two machines, neither of them the edge's.  Nodes dial it over the network of
    their machine.
    """

    def daemons(self) -> Sequence[Dockerd]:
        """
        See L{DaemonBed}.
        """
        self.swarm = theSwarm()
        return self.swarm.nodes

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        super().setUp()
        self._ports: dict[str, int] = {}
        self.swarm.untilReady()

    def nodePort(self, name: str) -> str:
        """
        See L{SpawnerBed}.
        """
        if name not in self._ports:
            self._ports[name] = PORTS.take()
            self.addCleanup(PORTS.release, self._ports[name])
        return f"tcp:{self._ports[name]}:interface={self.swarm.here}"

    def assertAreOnBoth(self, number: int) -> None:
        """
        This number of containers run, some on each machine, as the swarm decides.
        """
        running = [len(each.running()) for each in self.swarm.nodes]
        self.assertEqual(sum(running), number)
        self.assertGreater(min(running), 0)


class _HostNetworkTests(_Bed):
    """
    Nodes dial back from the network of whatever machine they run on.
    """

    skip: str | None = MISSING or None

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        super().setUp()
        for node in self.swarm.nodes:
            self.addCleanup(self.revive, node)

    def revive(self, node: Dockerd) -> None:
        """
        Leave none stopped to the next test.
        """
        if node.stopped:
            node.start()

    async def four(self) -> tuple[EdgeProcess, list[Client]]:
        """
        @return: an edge, and four clients of it that four instances have.
        """
        edge = await self.startEdge(
            *("--insecure-node-port", "--capacity", "1", "--max-instances", "4"),
            *("--idle-timeout", "1", "--old-idle-timeout", "1"),
        )
        clients = [await self.begin(edge, "/hold") for _ in range(4)]
        answers = [await self.answered(edge, each) for each in clients]
        self.assertEqual([each.status for each in answers], [200] * 4, edge.log)
        self.assertEqual(len({each.about["instance"] for each in answers}), 4)
        return edge, clients


class HostNetworkTests(_HostNetworkTests, TestCase):
    """
    The swarm puts instances on both machines.
    """

    async def test_four(self) -> None:
        """
        From zero, four at once are served by four instances, some on each machine;
        when they are idle nothing is left on either.
        """
        edge, clients = await self.four()
        self.assertAreOnBoth(4)
        for client in clients:
            client.hangUp()
        await self.nothingLeft()
        await self.stopEdge(edge)
        self.assertEqual(edge.log.count(": gone: exit status 0"), 4)

    async def test_daemonKilled(self) -> None:
        """
        When the swarm finds one machine lost, that is said of the instances there,
        and what they do is not cut; the others go on.  Nothing of them is left
        once the daemon is back.
        """
        edge, clients = await self.four()
        worker = self.swarm.worker
        there = len(worker.running())
        worker.stop(signal.SIGKILL)
        lost = "(its machine is lost to the swarm), its node may still run"
        await self.until(lambda: edge.log.count(lost) == there, "the edge does not notice")
        await self.until(lambda: self._are(4 - there), "more is removed, or less")
        self.assertNotIn(": gone: ", edge.log)
        for client in clients:
            self.assertTrue(cast(Any, client.transport).connected)
            client.hangUp()
        await self.until(lambda: edge.log.count(": gone: ") == 4, "they do not go")
        self.assertEqual((await self.ask(edge))["route"], "default")
        worker.start()
        await self.nothingLeft()
        await self.stopEdge(edge)

    async def _are(self, number: int) -> bool:
        return len(await self.services()) == number


# A minute and a half.
if tier(0, 1):

    class SuiteTests(_Bed, SpawnerTests, TestCase):
        """
        C{swarm:} passes the suite for spawners.
        """

        if MISSING:
            skip = MISSING

    class ManagerTests(_HostNetworkTests, TestCase):
        """
        The manager is the one that is killed.
        """

        async def test_managerKilled(self) -> None:
            """
            While there is no manager what runs goes on, on both machines, and orders
            fail with a reason; when it is back all is well.
            """
            edge, clients = await self.four()
            self.swarm.manager.stop(signal.SIGKILL)
            answer = await self.answered(edge, await self.begin(edge, host="b"))
            self.assertEqual(answer.status, 503)
            self.assertRegex(edge.log, r"b/\w+: gone: dockerd at tcp://\S+ can't be reached: ")
            for client in clients:
                self.assertTrue(cast(Any, client.transport).connected)
            self.swarm.manager.start()
            await self.until(lambda: self._answers(edge), "no order succeeds again")
            for client in clients:
                client.hangUp()
            await self.nothingLeft()
            await self.stopEdge(edge)

        async def _answers(self, edge: EdgeProcess) -> bool:
            return (await self.answered(edge, await self.begin(edge, host="b"))).status == 200


class RemoteDockerTests(_Bed, TestCase):
    """
    C{docker:} with a daemon on another machine.
    """

    skip: str | None = MISSING or None

    async def test_zeroToZero(self) -> None:
        """
        A node dials the edge at the endpoint that it is given.
        """
        node = f"{NODE_COMMAND} {self.appCommand()}"
        port = self.nodePort("nodes").split(":")[1]
        back = f"network=host edge=tcp:{self.swarm.here}:{port}"
        edge = await self.startEdge(
            "--insecure-node-port",
            "--idle-timeout",
            "0.5",
            spec=f"docker: image={NODE} volume={MOUNTS} {back} -- {node}",
        )
        await self.ask(edge)
        await self.nothingLeft()
        await self.stopEdge(edge)
        self.assertIn(": gone: exit status 0", edge.log)


class OverlayTests(_Bed, TestCase):
    """
    The edge itself is in a container, and nodes dial it by its name over an overlay
    network.
    """

    skip: str | None = MISSING or None

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        super().setUp()
        docker = self.swarm.manager.docker
        docker("network", "create", "--driver", "overlay", "--attachable", "test")
        self.addCleanup(docker, "network", "rm", "test")

    def startInside(self) -> None:
        """
        Start the edge on the manager, with a port for clients.
        """
        node = f"{NODE_COMMAND} {self.appCommand()}"
        spawn = f"swarm: network=test edge=tcp:edge:9080 image={NODE} volume={MOUNTS} -- {node}"
        manager = self.swarm.manager
        volumes = (*MOUNTS.split(","), f"{self.folder}:{self.folder}")
        mounts = [word for each in volumes for word in ("--volume", each)]
        manager.docker(
            *("run", "--detach", "--init", "--name", "edge", "--network", "test", *mounts),
            *("--publish", "8080:8080", "--env", f"DOCKER_HOST={manager.host}"),
            *("--workdir", str(self.folder), NODE),
            *(TWISTD, "-n", "--pidfile=", "brxy-edge", "--port", "tcp:8080"),
            *("--node-port", "tcp:9080", "--insecure-node-port", "--spawn", spawn),
            *("--capacity", "1", "--max-instances", "4"),
            *("--idle-timeout", "1", "--old-idle-timeout", "1"),
        )
        self.addCleanup(manager.docker, "rm", "--force", "edge", check=False)

    async def client(self) -> Client:
        """
        Make a request that holds its instance.
        """
        endpoint = clientFromString(self.reactor, f"tcp:{self.swarm.manager.address}:8080")
        client: Client = await connectProtocol(endpoint, Client("/hold", "localhost"))
        self.addCleanup(client.hangUp)
        return client

    async def test_four(self) -> None:
        """
        From zero, four at once are served by four instances on both machines, and
        nothing is left of them.
        """
        docker = self.swarm.manager.docker
        self.startInside()
        await self.until(
            lambda: "HTTPFactory starting" in docker("logs", "edge").stdout, "no edge starts"
        )
        clients = [await self.client() for _ in range(4)]
        answered = [each.answered for each in clients]
        await self.until(lambda: all(each.called for each in answered), "no answer")
        self.assertEqual([(await each).status for each in answered], [200] * 4)
        self.assertAreOnBoth(4 + 1)
        for client in clients:
            client.hangUp()

        async def nothing() -> bool:
            return not await self.services()

        await self.until(nothing, "something is left")
        docker("stop", "edge")
        self.assertEqual(docker("logs", "edge").stdout.count(": gone: exit status 0"), 4)
        await self.nothingLeft()
