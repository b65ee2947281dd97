"""
The base of the tests of L{brxy.spawners.testing}: what a spawner's author says about the
spawner, and the steps that tests share.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol, serverFromString
from twisted.internet.task import deferLater

from brxy.interfaces import Gone, IInstance, ISpawner, ISpawnerFactory, SpawnOrder
from brxy.spawners.spec import parseSpawn, splitCommon
from brxy.spawners.testing import app as testapp
from brxy.spawners.testing.tools import Answer, Client, EdgeProcess, NodePort, processesWith

__all__ = ["SpawnerBed"]

_MARK = "SPAWNER_TEST"

# Variables that the tests may have in their environment, and what they start must not.
_NOT_INHERITED = ("ROUTE", "PORT", "HOST")


class _Case:
    """
    What the mixin needs of L{twisted.trial.unittest.TestCase}.  That is not a base of the
    mixin, because trial would run the mixin as a test case.
    """

    setUp: Callable[[], None]
    addCleanup: Callable[..., None]
    fail: Callable[..., NoReturn]
    assertEqual: Callable[..., Any]
    assertNotEqual: Callable[..., Any]
    assertIs: Callable[..., Any]
    assertTrue: Callable[..., Any]
    assertFalse: Callable[..., Any]
    assertGreater: Callable[..., Any]
    assertIn: Callable[..., Any]
    assertNotIn: Callable[..., Any]
    assertIsInstance: Callable[..., Any]
    assertRegex: Callable[..., Any]


class SpawnerBed(_Case):
    """
    A mixin to L{twisted.trial.unittest.TestCase}.

    @cvar factory: the factory of the spawner.
    @cvar app: the command that runs L{brxy.spawners.testing.app} on this machine.
        A spawner that runs instances elsewhere needs a copy of that file there.
    @cvar environment: added to the environment of edges.
    @cvar patience: the longest time that any step may take, in seconds.
    @ivar folder: a folder for the test, with a short name; removed after it.
    @ivar edge_id: the id of the edges of this test, and of no other.
    @ivar label: the id with which those edges order by a spawn string of the factory.
    @ivar state: the state folder of its edges.
    @ivar mark: C{NAME=value} in the environment of everything that the test starts.
    """

    factory: ISpawnerFactory
    app: Sequence[str] = (sys.executable, "-I", "-S", testapp.__file__)
    environment: Mapping[str, str] = {}
    patience = 60.0
    timeout = 300

    # For authors of spawners to implement or override

    def spec(self) -> str:
        """
        Return a C{--spawn} that runs L{app}, without C{max=}, C{capacity=}, C{route=} and
        idle timeouts.
        """
        raise NotImplementedError

    def brokenSpec(self) -> str:
        """
        Return a C{--spawn} whose instances can't be started, such as for a program or
        an image that does not exist.
        """
        raise NotImplementedError

    def nodePort(self, name: str) -> str:
        """
        Return a server endpoint on this machine that instances can dial: always the same
        for the same name.
        """
        return f"unix:{self.folder}/{name}"

    async def left(self) -> Sequence[str]:
        """
        Return a line for each thing that is left of what the spawner started in this
        test; by default the processes on this machine.
        """
        return [f"process {pid}" for pid in processesWith(self.mark, "ROUTE=")]

    async def kill(self, order: SpawnOrder) -> None:
        """
        Kill the only instance that runs, without its spawner: by default its processes
        on this machine, by SIGKILL.
        """
        _kill(processesWith(self.mark, "ROUTE="))

    async def remove(self) -> None:
        """
        Remove everything that a test left, in case it failed.
        """
        _kill(processesWith(self.mark))

    async def bystander(self) -> Callable[[], Awaitable[bool]]:
        """
        Start something that looks like an instance of this test, but belongs to another
        edge: by default an instance of another edge.

        @return: returns whether it still runs.  It is stopped after the test.
        """
        spawner = await self.make(self.spec())
        instance = await self.started(spawner, self.order(edge=f"other-{self.label}"))

        async def runs() -> bool:
            return not instance.gone.called

        return runs

    # Steps of tests

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        from twisted.internet import reactor

        super().setUp()
        self.reactor: Any = reactor
        self.folder = Path(tempfile.mkdtemp(prefix="brxy-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.edge_id = f"test-{uuid4().hex[:16]}"
        self.label = f"{self.edge_id}-{self.factory.name}"
        self.mark = f"{_MARK}={self.edge_id}"
        self.state = self.folder / "state"
        self.state.mkdir()
        known = {"edge": self.edge_id, "instances": []}
        (self.state / "edge.json").write_text(json.dumps(known))
        before = dict(os.environ)
        os.environ[_MARK] = self.edge_id
        for name in (each for each in before if each in _NOT_INHERITED or each[:5] == "BRXY_"):
            del os.environ[name]
        self.addCleanup(os.environ.update, before)
        self.addCleanup(os.environ.pop, _MARK)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.remove()))
        self._node_port: NodePort | None = None
        self._edge = ""

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """
        Wait until a condition holds, or fail.

        @param condition: returns whether it holds, or a coroutine that does.
        @param what: the message of the failure.
        """
        end = self.reactor.seconds() + self.patience
        while True:
            result = condition()
            if hasattr(result, "__await__"):
                result = await result
            if result:
                return
            if self.reactor.seconds() > end:
                self.fail(f"{what}, within {self.patience:g} s")
            await deferLater(self.reactor, 0.02)

    async def nothingLeft(self) -> None:
        """
        Wait until nothing is left.
        """

        async def isNothing() -> bool:
            return not await self.left()

        await self.until(isNothing, "something is left")

    # A spawner in this process

    def order(self, route: str = "a_b.x-1.example", edge: str = "") -> SpawnOrder:
        """
        Make an order with a new ticket.  Make the spawner first: before, it is not known
        where an instance is to dial.
        """
        ticket = uuid4().hex[:16]
        environment = {
            "ROUTE": route,
            "BRXY_EDGE": self._edge,
            "BRXY_TICKET": ticket,
            "BRXY_CAPACITY": "1",
            "BRXY_GENERATION": "1",
            "BRXY_IDLE_TIMEOUT": "300",
            "BRXY_OLD_IDLE_TIMEOUT": "300",
        }
        return SpawnOrder(ticket, route, 1, environment, edge or self.label)

    async def make(self, spec: str) -> ISpawner:
        """
        Make a spawner as the edge does.
        """
        parsed = parseSpawn(spec)
        _, options = splitCommon(parsed, self.factory.options)
        spawner = self.factory.create(options, parsed.command, self.reactor)
        if spawner.dials_back and self._node_port is None:
            self._node_port = NodePort()
            endpoint = serverFromString(self.reactor, self.nodePort("test"))
            port = await endpoint.listen(self._node_port)
            self.addCleanup(port.stopListening)
            self.addCleanup(self._node_port.stop)
            self._edge = _clientEndpoint(port.getHost())
        self.addCleanup(lambda: spawner.stop().addTimeout(self.patience, self.reactor))
        return spawner

    def ready(self, spawner: ISpawner, order: SpawnOrder, instance: IInstance) -> Deferred[Any]:
        """
        @return: fires when an instance is ready to serve.
        """
        if spawner.dials_back:
            assert self._node_port is not None
            return self._node_port.ready(order.ticket)
        return instance.ready

    async def started(self, spawner: ISpawner, order: SpawnOrder | None = None) -> IInstance:
        """
        Start an instance, and wait until it is ready to serve.
        """
        order = order or self.order()
        instance = spawner.spawn(order)
        ready = self.ready(spawner, order, instance)
        await self.until(lambda: ready.called or instance.gone.called, "it is not ready")
        self.assertFalse(instance.gone.called, "it ended before it was ready")
        return instance

    async def gone(self, instance: IInstance) -> Gone:
        """
        Wait until an instance is gone, and check the reason.
        """
        await self.until(lambda: instance.gone.called, "it is not gone")
        result = await instance.gone
        self.assertIsInstance(result, Gone)
        self.assertRegex(result.reason, r"\A[^\r\n]{1,1000}\Z")
        return result

    # An edge in a process of its own

    async def startEdge(self, *arguments: str, spec: str = "") -> EdgeProcess:
        """
        Start an edge with the spawner, and wait until it accepts requests.
        """
        ports = ["--port", "tcp:0:interface=127.0.0.1", "--node-port", self.nodePort("nodes")]
        spawn = ["--state-dir", str(self.state), "--spawn", spec or self.spec()]
        environment = {**os.environ, **self.environment}
        edge = EdgeProcess([*ports, *spawn, *arguments], self.folder, environment)
        self.addCleanup(edge.kill)
        await self.until(lambda: edge.port or edge.ended, "the edge does not start")
        self.assertFalse(edge.ended, edge.log)
        return edge

    async def begin(self, edge: EdgeProcess, path: str = "/", host: str = "localhost") -> Client:
        """
        Make a request, on a connection of its own.
        """
        endpoint = clientFromString(self.reactor, f"tcp:127.0.0.1:{edge.port}")
        client: Client = await connectProtocol(endpoint, Client(path, host))
        self.addCleanup(client.hangUp)
        return client

    async def ask(self, edge: EdgeProcess, host: str = "localhost") -> Mapping[str, Any]:
        """
        Make a request.

        @return: what the app answered about itself.
        """
        answer = await self.answered(edge, await self.begin(edge, host=host))
        self.assertEqual(answer.status, 200, edge.log)
        return answer.about

    async def answered(self, edge: EdgeProcess, client: Client) -> Answer:
        """
        Wait for an answer.
        """
        await self.until(lambda: client.answered.called, "no answer")
        return await client.answered

    async def stopEdge(self, edge: EdgeProcess) -> None:
        """
        Stop an edge by SIGTERM, and check that its log has no traceback.
        """
        edge.signal(signal.SIGTERM)
        await self.until(lambda: edge.ended, "the edge does not stop")
        # Lines with a ticket before them are output of instances.
        own = [line for line in edge.log.splitlines() if "| " not in line]
        if any("Signal 17 ignored due to race condition" in line for line in own):
            # Python reports this when a child ends just while Twisted restores the
            # handlers of signals, at the very end.
            own = [line for line in own if " error " not in line]
        self.assertNotIn("Traceback", "\n".join(own))

    def appCommand(self) -> str:
        """
        @return: L{app} in the form of a spawn string.
        """
        return shlex.join(self.app)


def _clientEndpoint(address: Any) -> str:
    if isinstance(address, UNIXAddress):
        return f"unix:{os.fsdecode(address.name or b'')}"
    return f"tcp:{address.host}:{address.port}"


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
