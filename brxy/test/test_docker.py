"""
Tests of C{docker:} on a real daemon: what the suite for all spawners does not ask.
"""

from __future__ import annotations

import time
from typing import cast

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from brxy.interfaces import Address, IInstance, SpawnOrder
from brxy.spawners.docker import DockerSpawner, Options
from brxy.spawners.engine import Engine
from brxy.test.containers import NODE_SPEC, WEB_SPEC, ContainerTests
from brxy.test.dockerd import MISSING, WEB

# Names that no route has; the last is one that no client could send.
_HOSTILE = ("$(touch /x)", "a;b", "../..", "-rf", "a" * 300, "b\u00fccher", "*", "a b")

# Seconds of processor time that a turn of the reactor may take.
_TURN = 0.1


class _Visitor(Protocol):
    """
    A connection to L{_Registry}.
    """

    def __init__(self, registry: _Registry) -> None:
        self._registry = registry

    def connectionMade(self) -> None:
        """
        Somebody comes.
        """
        self._registry.visitors.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        They have gone.
        """
        self._registry.visitors.discard(self)

    def hangUp(self) -> None:
        """
        Send them away.
        """
        cast(ITCPTransport, self.transport).abortConnection()


class _Registry(Factory):
    """
    A registry that never says a word.

    @ivar visitors: who waits for one.
    """

    noisy = False

    def __init__(self) -> None:
        self.visitors: set[_Visitor] = set()

    def buildProtocol(self, addr: object) -> Protocol:
        """
        See L{Factory}.
        """
        return _Visitor(self)


class _SpawnerTests(ContainerTests):
    """
    Base of tests of a spawner in this process.
    """

    if MISSING:
        skip = MISSING

    def spawner(self, *command: str, **options: str) -> DockerSpawner:
        """
        One that is stopped after the test.
        """
        all_options = Options(**{"image": WEB, "port": "8000", **options})
        spawner = DockerSpawner(all_options, command, self.reactor, self.engine)
        self.addCleanup(spawner.stop)
        return spawner

    def httpd(self, **options: str) -> DockerSpawner:
        """
        One for a server.
        """
        return self.spawner("httpd", "-f", "-p", "{port}", "-h", "/www", **options)

    def order(self, ticket: str = "t1") -> SpawnOrder:
        """
        One instance.
        """
        return SpawnOrder(ticket, "example.com", 1, {"BRXY_TOKEN": "secret"}, "test")

    async def reason(self, *command: str, **options: str) -> str:
        """
        @return: why an instance was gone.
        """
        return (await self.spawner(*command, **options).spawn(self.order()).gone).reason


class ReasonTests(_SpawnerTests):
    """
    How an instance ended is told in one clear line.
    """

    async def test_reasons(self) -> None:
        """
        What can be wrong is said, and nothing is left.
        """
        eat = "head -c 100000000 /dev/zero | tail"
        reasons = await gatherResults(
            [
                Deferred.fromCoroutine(each)
                for each in (
                    self.reason("sh", "-c", "echo ready; echo bad config >&2; exit 3"),
                    self.reason("no-such-program"),
                    self.reason("sh", "-c", eat, memory="8m"),
                    self.reason(image="no-such:1", pull="never"),
                    self.reason(),
                    self.reason("sh", network="no-such-network"),
                )
            ]
        )
        self.assertEqual(
            reasons,
            [
                "exit status 3: bad config",
                "can't run 'no-such-program' in the image: No such file or directory",
                "killed, having used up its memory",
                "No such image: no-such:1",
                "No command specified",
                reasons[-1],
            ],
        )
        self.assertIn("network no-such-network not found", reasons[-1])
        self.assertEqual(await self.containers(), [])

    async def test_pull(self) -> None:
        """
        An image that is not here is pulled; that this failed is said.
        """
        reason = await self.reason(image="127.0.0.1:1/no-such:1")
        self.assertRegex(reason, r"^can't pull 127\.0\.0\.1:1/no-such:1: .*refused")

    async def test_unreachable(self) -> None:
        """
        Without a daemon an order fails at once.
        """
        self.engine = Engine(self.reactor, f"unix://{self.folder}/none")
        self.assertEqual(
            await self.reason("sh"),
            f"dockerd at unix://{self.folder}/none can't be reached: No such file or directory",
        )
        self.engine = Engine(self.reactor, self.dockerd.host)

    async def test_neverAnswers(self) -> None:
        """
        One that is given up before its port answered says so.
        """
        instance = self.spawner("sleep", "1000").spawn(self.order())
        while not any(each["State"] == "running" for each in await self.containers()):
            self.assertNoResult(instance.gone)
            await deferLater(self.reactor, 0.02)
        await deferLater(self.reactor, 0.2)
        instance.stop()
        self.assertEqual(
            (await instance.gone).reason, "port 8000 never answered; killed by SIGTERM"
        )

    async def test_removed(self) -> None:
        """
        One that somebody else removes is gone.
        """
        instance = self.httpd().spawn(self.order())
        await instance.ready
        [found] = await self.containers(ticket="t1")
        await self.engine.ask("DELETE", f"/containers/{found['Id']}", force=1)
        self.assertIn(
            (await instance.gone).reason, ("removed by somebody else", "killed by SIGKILL")
        )


class ContainerLookTests(_SpawnerTests):
    """
    What a container is like.
    """

    async def test_surroundings(self) -> None:
        """
        It has the environment that it is given, what brxy tells before all
        else, and no secret; labels, limits and an init.
        """
        (self.folder / "env").write_text("# more\nA=file\nB=file\n")
        spawner = self.httpd(
            env="B=b,PORT=1",
            env_file=str(self.folder / "env"),
            memory="64m",
            cpus="0.5",
            volume=f"{self.folder}:/data:ro",
            user="0:0",
        )
        address = await spawner.spawn(self.order()).ready
        [found] = await self.containers(ticket="t1")
        look = await self.engine.ask("GET", f"/containers/{found['Id']}/json")
        config, host = look["Config"], look["HostConfig"]
        self.assertEqual(address, Address(look["NetworkSettings"]["IPAddress"], 8000))
        self.assertEqual(
            sorted(each for each in config["Env"] if not each.startswith("PATH=")),
            ["A=file", "B=b", "HOST=0.0.0.0", "PORT=8000", "ROUTE=example.com"],
        )
        self.assertEqual(config["Cmd"], ["httpd", "-f", "-p", "8000", "-h", "/www"])
        self.assertRegex(look["Name"], "^/brxy-[0-9a-f]{16}$")
        self.assertEqual(
            config["Labels"],
            {
                "brxy.edge": "test",
                "brxy.ticket": "t1",
                "brxy.route": "example.com",
                "brxy.spawner": "docker",
                "brxy.image": WEB,
            },
        )
        self.assertEqual(
            (host["Memory"], host["NanoCpus"], host["Init"]), (64 << 20, 5 * 10**8, True)
        )
        self.assertEqual((host["Binds"], config["User"]), ([f"{self.folder}:/data:ro"], "0:0"))
        self.assertIs(host["Init"], True)
        self.assertIn(host["RestartPolicy"]["Name"], ("", "no"))


class ManyTests(_SpawnerTests):
    """
    Many instances, and such as are stopped early.
    """

    async def test_twenty(self) -> None:
        """
        Twenty at once are twenty, and all gone afterwards; the reactor is not
        kept by that.
        """
        turns: list[float] = []
        last = [time.thread_time()]

        def turn() -> None:
            now = time.thread_time()
            turns.append(now - last[0])
            last[0] = now

        looping = LoopingCall(turn)
        looping.clock = self.reactor
        looping.start(0.001)
        self.addCleanup(looping.stop)
        spawner = self.httpd()
        instances = [spawner.spawn(self.order(f"t{number}")) for number in range(20)]
        addresses = await gatherResults([each.ready for each in instances])
        self.assertEqual(len(set(addresses)), 20)
        self.assertEqual(len(await self.containers(edge="test")), 20)
        await spawner.stop()
        self.assertTrue(all(each.gone.called for each in instances))
        self.assertEqual(await self.containers(), [])
        self.assertLess(max(turns), _TURN)

    async def test_cancelled(self) -> None:
        """
        At whatever moment instances are stopped, each is gone once and nothing
        is left.
        """
        spawner = self.httpd()
        instances: list[IInstance] = []
        for number in range(8):
            instance = spawner.spawn(self.order(f"t{number}"))
            instances.append(instance)
            self.reactor.callLater(number * 0.06, instance.stop)
        await gatherResults([each.gone for each in instances])
        self.assertEqual(await self.containers(), [])

    async def test_cancelledPull(self) -> None:
        """
        One that waits for its image is gone at once when it is stopped, and so
        is the pull when the spawner is.
        """
        registry = _Registry()
        port = self.reactor.listenTCP(0, registry, interface="127.0.0.1")
        spawner = self.httpd(image=f"127.0.0.1:{port.getHost().port}/no-such:1")
        instance = spawner.spawn(self.order())
        await self.until(lambda: registry.visitors)
        instance.stop()
        self.assertEqual((await instance.gone).reason, "stopped before it was started")
        await spawner.stop()
        self.assertEqual(await self.containers(), [])
        # The daemon would wait for ten seconds, whether anybody wants that or not.
        await port.stopListening()
        for visitor in list(registry.visitors):
            visitor.hangUp()
        await self.until(lambda: not registry.visitors)


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
        edge = self.dockerEdge(f"docker: max=4 idle-timeout=1 old-idle-timeout=0.5 {WEB_SPEC}")
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
        await self.said(edge, r"b: .*can't be reached: ")
        self.dockerd.start(live_restore=True)
        while (await self.get(address, host="b")).status == 503:
            await deferLater(self.reactor, 0.2)
        self.assertEqual((await self.get(address, host="a")).status, 200)
        [one, _] = await self.containers(spawner="docker")
        await self.stopped(edge)
        self.assertEqual(await self.containers(), [])
