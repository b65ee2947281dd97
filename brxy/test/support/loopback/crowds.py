"""
Crowds of clients for tests of scaling: an edge in the process of the test run
with many clients, and one in memory whose clock is moved by hand.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from brxy.edge.config.settings import EdgeSettings, Spawn
from brxy.edge.service import EdgeService
from brxy.interfaces import Address, SpawnOrder
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp
from brxy.test.support.memory.network import TCP_ADDRESS, FakeReactor, PipeEnd, connect
from brxy.test.support.memory.recorders import HalfRecorder

__all__ = ["CrowdTests", "ManyAppsTests", "MemoryClient", "MemoryEdge", "get", "raiseFileLimit"]


def get(target: str = "/", host: str = "localhost") -> bytes:
    """
    @return: a GET request.
    """
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def raiseFileLimit(wanted: int = 0) -> Callable[[], None]:
    """
    Raise the limit of open files of this process, and of those that it starts.

    @param wanted: the new limit, if root may raise it this far.
    @return: a function that restores the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < wanted:
        with suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class CrowdTests(EdgeTests):
    """
    Base of tests with many clients.
    """

    timeout = 120

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(raiseFileLimit())

    async def crowd(self, number: int) -> list[Peer]:
        """
        Connect this many clients.
        """
        return await gatherResults([Deferred.fromCoroutine(self.connect()) for _ in range(number)])

    async def hold(self, number: int) -> list[Peer]:
        """
        Have this many clients held by an edge that holds no more than that.
        One more is rejected, which shows that all others are held.

        @return: the clients that are held.
        """
        peers = await self.crowd(number + 1)
        for peer in peers:
            peer.write(get())
        await self.until(lambda: any(peer.received for peer in peers))
        turned_away = next(peer for peer in peers if peer.received)
        self.assertEqual((await turned_away.answer()).status, 503)
        held = [peer for peer in peers if peer is not turned_away]
        self.assertFalse(any(peer.received for peer in held))
        return held

    async def answers(self, peers: list[Peer]) -> list[Message]:
        """
        @return: the answer that each client gets.
        """
        return await gatherResults([Deferred.fromCoroutine(each.answer()) for each in peers])

    async def statuses(self, peers: list[Peer]) -> set[int]:
        """
        @return: the statuses of the answers.
        """
        return {message.status for message in await self.answers(peers)}


class ManyAppsTests(CrowdTests):
    """
    Tests in which each instance has an app of its own.
    """

    def setUp(self) -> None:
        super().setUp()
        self.apps: list[App] = []
        self.gate: Deferred[None] = Deferred()

    async def respond(self, request: Message, peer: Peer) -> None:
        """
        Answer after the number of milliseconds in the path, or when the gate
        is open.
        """
        if request.target == b"/gate":
            await self.gate
        else:
            await deferLater(self.reactor, float(request.target[1:] or 0) / 1000)
        peer.write(answer())

    def newApp(self, order: SpawnOrder) -> Address:
        """
        Start one more app.
        """
        app = webApp(self.respond)
        self.apps.append(app)
        return self.startApp(app)

    def served(self) -> list[int]:
        """
        How many requests each app has received.
        """
        return [len(app.requests) for app in self.apps]


class MemoryClient(HalfRecorder):
    """
    A client of a L{MemoryEdge}, which has sent one request.
    """

    @property
    def status(self) -> int:
        """
        The status of its answer; 0 as long as there is none.
        """
        return int(self.received.split(b" ", 2)[1]) if self.received else 0

    @property
    def retry_after(self) -> int:
        """
        The seconds of Retry-After in its answer; 0 if there is none.
        """
        _, found, rest = bytes(self.received).partition(b"\r\nRetry-After: ")
        return int(rest.split(b"\r\n")[0]) if found else 0


class MemoryEdge:
    """
    An edge without a network.

    @ivar reactor: its clock, and the connections to apps that it opens.
    """

    def __init__(self, reactor: FakeReactor, *spawns: Spawn, **settings: Any) -> None:
        self.reactor = reactor
        self.service = EdgeService(
            reactor, EdgeSettings(ports=["tcp:8080"], spawns=spawns, **settings)
        )
        # Its connections have no descriptors that could be watched.
        self.service.parts.shared.hangups = reactor.shared.hangups
        self.service.startService()
        self._factory = reactor.tcpServers[0][1]
        self._ends: list[PipeEnd] = []

    def deliver(self) -> None:
        """
        Deliver what was sent, and what follows from it at once. No time
        passes, and the reactor does not turn.
        """
        while any([end.deliver() for end in (*self._ends, *self.reactor.ends)]):
            pass

    def turn(self) -> None:
        """
        Deliver what was sent and all that follows from it. No time passes.
        Apps accept no connections by themselves.
        """
        self.deliver()
        self.reactor.advance(0)
        self.deliver()

    def ask(self, request: bytes | None = None, address: Any = TCP_ADDRESS) -> MemoryClient:
        """
        Connect and send a request.

        @param address: the client's.
        """
        client = MemoryClient()
        protocol = self._factory.buildProtocol(TCP_ADDRESS)
        edge, end = connect(self.reactor, protocol, client, address)
        self._ends += [edge, end]
        end.write(get() if request is None else request)
        self.deliver()
        return client

    def forget(self) -> None:
        """
        Drop the connections that have been closed.
        """
        for end in self._ends:
            end.abortConnection()
        self.turn()
        self._ends.clear()
