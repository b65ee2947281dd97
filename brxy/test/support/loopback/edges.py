"""
An edge in the process of the test run, on the real reactor and loopback, with
its apps, spawners and clients.

A test case derives from L{EdgeTests}, and has one hop: the edge fronts the
app. For tests that must hold for two hops as well, another class is derived
from it with C{spawner_type = NodeSpawner}: a node stands between edge and app.
Both run on the edge's own transport. If they are decorated by
L{brxy.test.support.loopback.leftovers.onBothTransports} they run on Twisted's
as well.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from brxy.edge.config.kinds import Frontend
from brxy.edge.config.settings import EdgeSettings, Spawn, Spawning
from brxy.edge.service import EdgeService
from brxy.interfaces import Address, IRecovering, SpawnOrder
from brxy.scaler.rules import Rule
from brxy.test.support.loopback.leftovers import RealTests, onBothTransports
from brxy.test.support.loopback.peers import App, Message, Peer, connect, connectTLS
from brxy.test.support.loopback.spawning import FrontedSpawner, TestSpawner
from brxy.test.support.loopback.transports import certificate
from brxy.transport.epollreactor import EpollReactor

__all__ = ["LOOPBACK", "EdgeTests", "onTLS", "spawnRule"]

LOOPBACK = "tcp:0:interface=127.0.0.1"


def spawnRule(
    spawner: Any,
    *,
    pattern: str | None = None,
    max_instances: int = 10,
    capacity: int = 1,
    idle_timeout: float = 300.0,
    old_idle_timeout: float = 10.0,
    send_proxy: str | None = None,
) -> Spawn:
    """
    @return: the rule of one C{--spawn}.
    """
    recovers = IRecovering.providedBy(spawner)
    return Spawn(
        Rule(pattern, max_instances, capacity, "spawner", recovers),
        Spawning(spawner, idle_timeout, old_idle_timeout, send_proxy=send_proxy),
    )


def named(spawns: Sequence[Spawn]) -> list[Spawn]:
    """
    Give each spawn after the first a name of its own.
    """
    return [
        evolve(each, rule=evolve(each.rule, name=f"{each.rule.name}-{number}"))
        if number > 1
        else each
        for number, each in enumerate(spawns, 1)
    ]


class EdgeTests(RealTests):
    """
    Base of tests with an edge.

    @ivar edge: the edge, once L{startEdge} was called.
    """

    edge: EdgeService

    #: Clients connect over TLS, those of TCP frontends too.
    secured = False

    #: The spawner of L{launch}.
    spawner_type: type[TestSpawner] = FrontedSpawner

    def setUp(self) -> None:
        super().setUp()
        self.edge_reactor: Any = self.reactor
        if self.transport == "epoll":
            self.edge_reactor = EpollReactor(self.reactor)
        # Edge and node install their own handlers; restore trial's after the test.
        for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def startEdge(self, *spawns: Spawn, **settings: Any) -> EdgeService:
        """
        Start an edge; it is stopped after the test, without waiting for
        exchanges.

        @param settings: for L{EdgeSettings}, other than its defaults; C{read} for
            L{EdgeService}.
        """
        given: dict[str, Any] = {"ports": [LOOPBACK], "drain_timeout": 0.0, **settings}
        read = given.pop("read", None)
        if any(spawn.spawning.spawner.dials_back for spawn in spawns):
            given.setdefault("node_ports", [LOOPBACK])
        if self.secured:
            given["tls_certs"] = self.certificates()
            given["tls_ports"] = given["ports"]
            frontends = given.pop("frontends", ())
            given["tls_frontends"] = [
                Frontend(name, endpoint, True) for name, endpoint in frontends
            ]
            given["ports"] = ()
        self.edge = edge = EdgeService(
            self.edge_reactor, EdgeSettings(spawns=named(spawns), **given), read=read
        )
        edge.startService()
        self.addCleanup(lambda: edge.stopService() if edge.running else None)
        return edge

    def certificates(self) -> str:
        """
        @return: a folder with a certificate for C{localhost}.
        """
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        Path(folder, "localhost.pem").write_bytes(certificate())
        return folder

    def startApp(self, app: App, port: int = 0) -> Address:
        """
        Start an app; it is stopped after the test.

        @param port: its port; 0 for any.
        """
        app.probed = self.spawner_type.dials_back
        address = app.listen(self.reactor, port)
        self.addCleanup(lambda: Deferred.fromCoroutine(app.stop()))
        return address

    def launch(
        self,
        app: App | Mapping[str, App] | Callable[[SpawnOrder], Address],
        rule: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> TestSpawner:
        """
        Start an edge with one spawner, which fronts an app or starts a node
        for it.

        @param app: the app; or one for each route; or a function that returns
            the address of an order's app.
        @param rule: for L{spawnRule}.
        @param settings: for L{EdgeSettings}.
        """
        if isinstance(app, App):
            address = self.startApp(app)
            find: Callable[[SpawnOrder], Address] = lambda order: address  # noqa: E731
        elif isinstance(app, Mapping):
            addresses = {route: self.startApp(each) for route, each in app.items()}
            find = lambda order: addresses[order.route]  # noqa: E731
        else:
            find = app
        spawner = self.spawner_type(self.edge_reactor, find)
        self.startEdge(spawnRule(spawner, **(rule or {})), **settings)
        return spawner

    async def soon(self, turns: int = 1) -> None:
        """
        Let the reactor turn a few times.
        """
        for _ in range(turns):
            await deferLater(self.reactor, 0)

    async def connect(self, port: int = 0, host: str = "127.0.0.1") -> Peer:
        """
        Connect to the edge; the connection is cut after the test.

        @param port: which of its ports.
        @param host: the client's address, on loopback.
        """
        address = self.edge.addresses[port]
        if self.secured:
            peer = await connectTLS(self.reactor, address, certificate())
        else:
            peer = await connect(self.reactor, address, host)
        self.cutLater(peer)
        return peer

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> Deferred[None]:
        """
        Start a coroutine that runs in the background.
        """
        return Deferred.fromCoroutine(coroutine)

    async def untilRead(self) -> None:
        """
        Wait until the edge has read everything that clients have sent before:
        at the latest in the turn in which it answers a request that was sent
        later.
        """
        peer = await self.connect()
        peer.write(b"GET / HTTP/1.1\r\n\r\n")
        await peer.untilEnd()

    def cutLater(self, peer: Peer) -> None:
        """
        Cut a connection after the test.
        """
        self.addCleanup(lambda: Deferred.fromCoroutine(_cut(peer)))

    async def talk(self, *data: bytes, port: int = 0) -> bytes:
        """
        Send bytes on a connection of their own.

        @return: all that is received until the edge closes it.
        """
        peer = await self.connect(port)
        peer.write(*data)
        return await peer.untilEnd()

    async def ask(self, data: bytes, method: bytes = b"GET") -> Message:
        """
        Send a request on a connection of its own.

        @return: its answer.
        """
        peer = await self.connect()
        peer.write(data)
        return await peer.answer(method)


_T = TypeVar("_T", bound=EdgeTests)


def onTLS(tests: type[_T]) -> type[_T]:
    """
    Decorate a class that is derived from other tests: its clients connect over
    TLS, on both transports.
    """
    tests.secured = True
    return onBothTransports(tests)


async def _cut(peer: Peer) -> None:
    if peer.lost is None:
        peer.abort()
        await peer.untilLost()
