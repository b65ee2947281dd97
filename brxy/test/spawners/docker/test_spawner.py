"""
Tests of C{docker:} on a real daemon: what the suite for all spawners does not ask.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any, cast

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from brxy.interfaces import Address, IInstance, SpawnOrder
from brxy.reactor.turns import TurnQueue
from brxy.spawners.docker.engine import Engine
from brxy.spawners.docker.spawner import DockerOptions, DockerSpawner
from brxy.test.support.docker.containers import ContainerTests
from brxy.test.support.docker.dockerd import MISSING, WEB

# Calls of functions, and ends of calls, that a turn of the reactor may take, which
# takes 3 ms of the processor.  Their time itself is no measure where all processors
# are busy: a turn without anything to do was seen to take 13 ms.
_CALLS = 4000


class _Visitor(Protocol):
    """
    A connection to L{_Registry}.
    """

    def __init__(self, registry: _Registry) -> None:
        self._registry = registry

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        self._registry.visitors.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        self._registry.visitors.discard(self)

    def hangUp(self) -> None:
        """
        Close the connection.
        """
        cast(ITCPTransport, self.transport).abortConnection()


class _Registry(Factory):
    """
    A registry that never says a word.

    @ivar visitors: the connections to it.
    """

    noisy = False

    def __init__(self) -> None:
        self.visitors: set[_Visitor] = set()

    def buildProtocol(self, addr: object) -> Protocol:
        """
        See L{Factory}.
        """
        return _Visitor(self)


class DockerSpawnerTests(ContainerTests):
    """
    Base of tests of a spawner in this process.
    """

    if MISSING:
        skip = MISSING

    def spawner(self, *command: str, **options: str) -> DockerSpawner:
        """
        One that is stopped after the test.
        """
        all_options = DockerOptions(**{"image": WEB, "port": "8000", **options})
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


class ReasonTests(DockerSpawnerTests):
    """
    The reason for which an instance ended is one clear line.
    """

    async def test_reasons(self) -> None:
        """
        What can be wrong is said, and nothing is left.
        """
        found = await gatherResults([Deferred.fromCoroutine(each) for each in self._failing()])
        network, memory = "network no-such-network not found", "used up its memory"
        known = [part for each in found for part in (network, memory) if part in each]
        self.assertEqual(known, [memory, network])
        self.assertEqual(
            [each for each in found if network not in each and memory not in each],
            [
                "exit status 3: bad config",
                "can't run 'no-such-program' in the image: No such file or directory",
                "No such image: no-such:1",
                "No command specified",
            ],
        )
        self.assertEqual(await self.containers(), [])

    def _failing(self) -> list[Coroutine[Any, Any, str]]:
        eat = "head -c 100000000 /dev/zero | tail"
        return [
            self.reason("sh", "-c", "echo ready; echo bad config >&2; exit 3"),
            self.reason("no-such-program"),
            self.reason("sh", "-c", eat, memory="8m"),
            self.reason(image="no-such:1", pull="never"),
            self.reason(),
            self.reason("sh", network="no-such-network"),
        ]

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
        A container that another program removes is gone.
        """
        instance = self.httpd().spawn(self.order())
        await instance.ready
        [found] = await self.containers(ticket="t1")
        await self.engine.request("DELETE", f"/containers/{found['Id']}", force=1)
        self.assertIn(
            (await instance.gone).reason, ("removed by another program", "killed by SIGKILL")
        )


class ReadinessTests(DockerSpawnerTests):
    """
    When a container is ready.
    """

    async def test_path(self) -> None:
        """
        A path must be answered well; what else comes is a reason.
        """
        await self.httpd(ready_path="/index.html").spawn(self.order()).ready
        instance = self.httpd(ready_path="/none").spawn(self.order("t2"))
        lacking = "the app answers 404 to GET /none (Host: example.com)"
        await self.until(lambda: cast(Any, instance).lacking == lacking)
        self.assertNoResult(instance.ready)
        instance.stop()
        self.assertEqual((await instance.gone).reason, f"{lacking}; killed by SIGTERM")

    def image(self) -> str:
        """
        @return: an image whose HEALTHCHECK succeeds once there is the file C{/tmp/up}.
        """
        lines = f'FROM {WEB}\nHEALTHCHECK CMD [ -e /tmp/up ] || {{ echo "no db"; exit 1; }}\n'
        path = self.folder / "Dockerfile"
        path.write_text(lines)
        with path.open() as file:
            self.dockerd.docker("build", "-t", "checked:1", "-", stdin=file)
        return "checked:1"

    async def test_healthcheck(self) -> None:
        """
        The HEALTHCHECK of an image must succeed; what it reports is a reason.
        """
        spawner = self.httpd(image=self.image(), health_interval="0.1")
        instance, other = spawner.spawn(self.order()), spawner.spawn(self.order("t2"))
        lacking = "the HEALTHCHECK of its image reports unhealthy (exit status 1: no db)"
        await self.until(lambda: cast(Any, other).lacking == lacking)
        self.assertNoResult(instance.ready)
        [found] = await self.containers(ticket="t1")
        self.dockerd.docker("exec", found["Id"], "sh", "-c", ">/tmp/up")
        await instance.ready
        self.assertNoResult(other.ready)
        other.stop()
        self.assertEqual((await other.gone).reason, f"{lacking}; killed by SIGTERM")

    async def test_noHealthcheck(self) -> None:
        """
        With C{health-interval=0} the check is not run.
        """
        spawner = self.httpd(image=self.image(), health_interval="0")
        await spawner.spawn(self.order()).ready


class ContainerLookTests(DockerSpawnerTests):
    """
    What a container is like.
    """

    async def test_surroundings(self) -> None:
        """
        It has the environment that it is given, in which the variables of brxy come before
        all others, and no secret.
        """
        (self.folder / "env").write_text("# more\nA=file\nB=file\n")
        path = str(self.folder / "env")
        address, look = await self._look(env="B=b,PORT=1", env_file=path)
        self.assertEqual(address, Address(look["NetworkSettings"]["IPAddress"], 8000))
        self.assertEqual(
            sorted(each for each in look["Config"]["Env"] if not each.startswith("PATH=")),
            ["A=file", "B=b", "HOST=0.0.0.0", "PORT=8000", "ROUTE=example.com"],
        )
        self.assertEqual(look["Config"]["Cmd"], ["httpd", "-f", "-p", "8000", "-h", "/www"])

    async def test_labels(self) -> None:
        """
        It says whose it is, and for what.
        """
        _, look = await self._look()
        self.assertRegex(look["Name"], "^/brxy-[0-9a-f]{16}$")
        self.assertEqual(
            look["Config"]["Labels"],
            {
                "brxy.edge": "test",
                "brxy.ticket": "t1",
                "brxy.route": "example.com",
                "brxy.spawner": "docker",
                "brxy.image": WEB,
            },
        )

    async def test_limits(self) -> None:
        """
        It has its limits, an init, and no second life.
        """
        volume = f"{self.folder}:/data:ro"
        _, look = await self._look(memory="64m", cpus="0.5", volume=volume, user="0:0")
        host = look["HostConfig"]
        self.assertEqual((host["Memory"], host["NanoCpus"]), (64 << 20, 5 * 10**8))
        self.assertIs(host["Init"], True)
        self.assertIn(host["RestartPolicy"]["Name"], ("", "no"))
        self.assertEqual((host["Binds"], look["Config"]["User"]), ([volume], "0:0"))

    async def _look(self, **options: str) -> tuple[Address, Any]:
        """
        @return: where an instance with these options is, and what the daemon
            says of it.
        """
        address = await self.httpd(**options).spawn(self.order()).ready
        [found] = await self.containers(ticket="t1")
        return address, await self.engine.request("GET", f"/containers/{found['Id']}/json")


class ManyTests(DockerSpawnerTests):
    """
    Many instances, and such as are stopped early.
    """

    def turns(self) -> list[int]:
        """
        @return: how many calls and ends of calls each turn of the reactor takes from now on.
        """
        turns = [0]
        run = self.reactor.runUntilCurrent

        def turn() -> None:
            turns.append(0)
            run()

        def count(frame: FrameType, event: str, argument: object) -> None:
            turns[-1] += 1

        self.patch(self.reactor, "runUntilCurrent", turn)
        sys.setprofile(count)
        self.addCleanup(sys.setprofile, None)
        return turns

    async def test_twenty(self) -> None:
        """
        Twenty at once are twenty, and all gone afterwards; the reactor is not
        kept by that.
        """
        # What other tests have left behind is not finalized in a turn of this one.
        gc.collect()
        turns = self.turns()
        spawner = self.httpd()
        instances: list[IInstance] = []
        # As the edge does it, with each in a turn of its own.
        pace: TurnQueue[int] = TurnQueue(
            self.reactor,
            lambda number: instances.append(spawner.spawn(self.order(f"t{number}"))),
        )
        for number in range(20):
            pace.add(number)
        await self.until(lambda: len(instances) == 20)
        addresses = await gatherResults([each.ready for each in instances])
        self.assertEqual(len(set(addresses)), 20)
        self.assertEqual(len(await self.containers(edge="test")), 20)
        await spawner.stop()
        self.assertTrue(all(each.gone.called for each in instances))
        self.assertEqual(await self.containers(), [])
        self.assertGreater(len(turns), 100)
        self.assertLess(max(turns), _CALLS)

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
        # The daemon would wait for ten seconds, though nothing needs it any more.
        await port.stopListening()
        for visitor in list(registry.visitors):
            visitor.hangUp()
        await self.until(lambda: not registry.visitors)
