"""
Tests of an edge with C{docker:} and stock software, by real processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from brxy.processes.ports import PORTS
from brxy.spawners.testing import app as testapp
from brxy.test.support.docker.containers import NODE_SPEC, WEB_SPEC, ContainerTests
from brxy.test.support.docker.dockerd import MISSING, theDockerd
from brxy.test.support.processes.netlinks import subnet
from brxy.test.support.processes.programs import PYTHON, Program

# Names that no route has; the last is one that no client could send.
_HOSTILE = ("$(touch /x)", "a;b", "../..", "-rf", "a" * 300, "b\u00fccher", "*", "a b")


class EdgeTests(ContainerTests):
    """
    An edge, and stock software.
    """

    if MISSING:
        skip = MISSING

    async def test_four(self) -> None:
        """
        From zero, four at once, and back to zero.
        """
        keys = "max=4 capacity=1 idle-timeout=1 old-idle-timeout=0.5"
        edge = self.dockerEdge(f"docker: {keys} {WEB_SPEC}")
        address = await self.address(edge)
        answers = await gatherResults([self.get(address) for _ in range(4)])
        self.assertEqual([each.body for each in answers], ["hello\n"] * 4)
        self.assertEqual(edge.out.count(": ordered"), 4)
        await self.until(lambda: edge.out.count(": gone: ") == 4)
        self.assertEqual(await self.containers(), [])
        await self.stopped(edge)

    async def test_hostile(self) -> None:
        """
        A host that is no name starts nothing.
        """
        edge = self.dockerEdge(f"docker: {WEB_SPEC}")
        address = await self.address(edge)
        for host in _HOSTILE:
            answer = await self.get(address, host=host)
            self.assertIn(answer.status, (400, 404), host)
        self.assertEqual(await self.containers(), [])
        self.assertNotIn(": ordered", edge.out)
        await self.stopped(edge)

    async def test_noWayBack(self) -> None:
        """
        That a node could not reach the edge is said in one line.
        """
        edge = self.dockerEdge(
            f"docker: {NODE_SPEC} true", "--node-port", "tcp:0:interface=127.0.0.1"
        )
        answer = await self.get(await self.address(edge))
        self.assertEqual(answer.status, 503)
        await self.said(
            edge, r"can't reach the edge at tcp:127\.0\.0\.1:\d+: it needs --node-port"
        )
        await self.stopped(edge)

    async def test_restart(self) -> None:
        """
        After kill -9 an edge finds its container again; a stranger's is not
        touched.
        """
        stranger = await self.stranger()
        spawn, state = f"docker: {WEB_SPEC}", ("--state-dir", str(self.folder / "state"))
        edge = self.dockerEdge(spawn, *state)
        self.assertEqual((await self.get(await self.address(edge))).status, 200)
        [before] = await self.containers(spawner="docker")
        await self.until(lambda: "ticket" in (self.folder / "state/edge.json").read_text())
        edge.signal(9)
        await self.ended(edge)
        again = self.dockerEdge(spawn, *state)
        self.assertEqual((await self.get(await self.address(again))).status, 200)
        [after] = await self.containers(spawner="docker")
        self.assertEqual(before["Id"], after["Id"])
        await self.stopped(again)
        self.assertEqual(await self.containers(spawner="docker"), [])
        self.assertTrue(await self.runs(stranger))

    async def test_unclaimed(self) -> None:
        """
        An edge that is started without a C{--spawn} that it had says what that has
        left; one that has it again, and is stopped, leaves nothing.
        """
        spawn, state = f"docker: {WEB_SPEC}", ("--state-dir", str(self.folder / "state"))
        edge = self.dockerEdge(spawn, *state)
        self.assertEqual((await self.get(await self.address(edge))).status, 200)
        [left] = await self.containers(spawner="docker")
        ticket = left["Labels"]["brxy.ticket"]
        await self.until(lambda: ticket in (self.folder / "state/edge.json").read_text())
        edge.signal(9)
        await self.ended(edge)
        other = self.dockerEdge("app: -- true", *state)
        await self.said(
            other,
            f"no --spawn is named docker any more; an earlier run left default/{ticket} of it: ",
        )
        self.assertIn(left["Labels"]["brxy.edge"], other.out)
        await self.address(other)
        await self.stopped(other)
        again = self.dockerEdge(spawn, *state)
        await self.address(again)
        await self.stopped(again)
        self.assertEqual(await self.containers(), [])

    async def test_named(self) -> None:
        """
        What runs belongs to the spawn of its name, in whatever order spawns are given
        after a restart.  When a spawn is taken off or renamed, what it has left is
        reported, goes on to run, and is given to no other.
        """
        one, two = (f"docker: name={each} route={each}.test {WEB_SPEC}" for each in ("a", "b"))
        state = ("--state-dir", str(self.folder / "state"))
        before = await self.serving(self.dockerEdge(one, "--spawn", two, *state), "a", "b")
        self.assertEqual(len(set(before.values())), 2)
        reordered = self.dockerEdge(two, "--spawn", one, *state)
        self.assertEqual(await self.serving(reordered, "a", "b"), before)
        other = f"docker: name=c route=a.test {WEB_SPEC}"
        less = self.dockerEdge(two, "--spawn", other, *state)
        after = await self.serving(less, "c", "b")
        self.assertEqual(after["b"], before["b"])
        self.assertNotIn(after["c"], before.values())
        self.assertRegex(less.out, r"no --spawn is named a any more; .* left a\.test/[0-9a-f]+ ")
        self.assertTrue(await self.runs(before["a"]))

    async def serving(self, edge: Program, *names: str) -> dict[str, str]:
        """
        Have an edge answer, and end it by force when it has written its state.

        @return: the ids of the containers by which it does, by the names of the spawns.
        """
        address = await self.address(edge)
        found = {}
        for name in names:
            host = "a.test" if name == "c" else f"{name}.test"
            self.assertEqual((await self.get(address, host=host)).status, 200)
            [mine] = [
                each
                for each in await self.containers()
                if each["Labels"]["brxy.edge"].endswith(f"-{name}")
            ]
            found[name] = mine["Id"]
            ticket = mine["Labels"]["brxy.ticket"]
            await self.until(lambda: ticket in (self.folder / "state/edge.json").read_text())  # noqa: B023
        edge.signal(9)
        await self.ended(edge)
        return found

    async def test_daemonRestarts(self) -> None:
        """
        While the daemon is away what runs goes on to serve, and what is
        ordered fails with a reason; when it is back all is well.
        """
        self.addCleanup(self.dockerd.restart)
        self.dockerd.restart(live_restore=True)
        edge = self.dockerEdge(f"docker: {WEB_SPEC}")
        address = await self.address(edge)
        self.assertEqual((await self.get(address, host="a")).status, 200)
        self.dockerd.stop()
        load = [self.get(address, host="a") for _ in range(20)]
        self.assertEqual({each.status for each in await gatherResults(load)}, {200})
        self.assertEqual((await self.get(address, host="b")).status, 503)
        await self.said(edge, r" b/[0-9a-f]+: gone: dockerd at \S+ can't be reached: ")
        self.dockerd.start(live_restore=True)
        while (await self.get(address, host="b")).status == 503:
            await deferLater(self.reactor, 0.2)
        self.assertEqual((await self.get(address, host="a")).status, 200)
        [one, _] = await self.containers(spawner="docker")
        await self.stopped(edge)
        self.assertEqual(await self.containers(), [])


class NetworkTests(ContainerTests):
    """
    Containers in a network of their own.
    """

    if MISSING:
        skip = MISSING

    def setUp(self) -> None:
        # Before all else, so that it is removed last.
        dockerd = theDockerd()
        name = f"com.docker.network.bridge.name={dockerd.link}n"
        own = ("--opt", name, "--subnet", f"{subnet(93)}.0/24")
        dockerd.docker("network", "create", *own, "test")
        self.addCleanup(dockerd.docker, "network", "rm", "test")
        super().setUp()

    async def networks(self) -> Mapping[str, Any]:
        """
        @return: those that the only container is in, as the API has them.
        """
        [found] = await self.containers(spawner="docker")
        return dict(found["NetworkSettings"]["Networks"])

    async def test_fronted(self) -> None:
        """
        The edge fronts a container at its address in C{network=}.
        """
        edge = self.dockerEdge(f"docker: network=test {WEB_SPEC}")
        self.assertEqual((await self.get(await self.address(edge))).body, "hello\n")
        networks = await self.networks()
        self.assertEqual(list(networks), ["test"])
        self.assertIn(subnet(93), networks["test"]["IPAddress"])
        await self.stopped(edge)
        self.assertEqual(await self.containers(), [])

    async def test_node(self) -> None:
        """
        A node in C{network=} dials the edge at C{edge=}.
        """
        here, port = f"{subnet(93)}.1", PORTS.take()
        self.addCleanup(PORTS.release, port)
        edge = self.dockerEdge(
            f"docker: network=test edge=tcp:{here}:{port} {NODE_SPEC} {PYTHON} {testapp.__file__}",
            *("--node-port", f"tcp:{port}:interface={here}", "--insecure-node-port"),
        )
        answer = await self.get(await self.address(edge))
        self.assertEqual(answer.status, 200, edge.out)
        self.assertEqual(list(await self.networks()), ["test"])
        await self.stopped(edge)
        self.assertEqual(await self.containers(), [])
