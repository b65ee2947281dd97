"""
Tests of routes with several spawners, with a complete edge: the second one
handles the overflow of the first, and its instances leave first.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from brxy.interfaces import Address
from brxy.test.support.loopback.crowds import get
from brxy.test.support.loopback.edges import EdgeTests, spawnRule
from brxy.test.support.loopback.peers import Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner, TestSpawner

__all__ = ["SpilloverByNodesTests", "SpilloverTests"]

_TIMES: dict[str, Any] = {"idle_timeout": 300.0, "old_idle_timeout": 1.0}


class SpilloverTests(EdgeTests):
    """
    Tests with two instances here, and more elsewhere.
    """

    def setUp(self) -> None:
        super().setUp()
        self.gates: dict[str, list[Deferred[None]]] = {"here": [], "there": []}
        self.here, self.there = self._spawner("here"), self._spawner("there")
        self.startEdge(
            spawnRule(self.here, max_instances=2, **_TIMES),
            spawnRule(self.there, max_instances=3, **_TIMES),
        )

    def _spawner(self, place: str) -> TestSpawner:
        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/gate":
                gate: Deferred[None] = Deferred()
                self.gates[place].append(gate)
                await gate
            peer.write(answer(place.encode()))

        app: Address = self.startApp(webApp(respond))
        return self.spawner_type(self.edge_reactor, lambda order: app)

    async def gated(self, number: int, here: int, there: int) -> list[Peer]:
        """
        Have this many clients send requests that take time, and wait until
        these numbers are being served here and elsewhere.
        """
        peers = [await self.connect() for _ in range(number)]
        for peer in peers:
            peer.write(get("/gate"))
        counts = {"here": here, "there": there}
        await self.until(
            lambda: counts == {place: len(gates) for place, gates in self.gates.items()}
        )
        return peers

    async def open(self, peers: list[Peer]) -> list[bytes]:
        """
        Have all clients answered.

        @return: where each was served.
        """
        for gates in self.gates.values():
            while gates:
                gates.pop().callback(None)
        return sorted([(await peer.answer()).body for peer in peers])

    async def test_overflow(self) -> None:
        """
        Only the overflow is started elsewhere. When there are fewer requests
        they are served here. The instance elsewhere leaves although it is the
        newest, and no other does.
        """
        peers = await self.gated(2, 2, 0)
        self.assertEqual((len(self.here.orders), len(self.there.orders)), (2, 0))
        peers += await self.gated(1, 2, 1)
        self.assertEqual((len(self.here.orders), len(self.there.orders)), (2, 1))
        self.assertEqual(await self.open(peers), [b"here", b"here", b"there"])
        peers = await self.gated(2, 2, 0)
        await self.until(lambda: not self.there.alive)
        self.assertEqual(len(self.here.alive), 2)
        self.assertEqual(await self.open(peers), [b"here", b"here"])

    async def test_oneByOne(self) -> None:
        """
        As long as an instance here has room, no client is served elsewhere.
        """
        self.assertEqual(len(await self.open(await self.gated(3, 2, 1))), 3)
        peer = await self.connect()
        for _ in range(10):
            peer.write(get())
            self.assertEqual((await peer.answer()).body, b"here")
        await self.until(lambda: not self.there.alive)
        self.assertEqual(len(self.here.orders), 2)
        self.assertEqual(len(self.there.orders), 1)

    async def test_broken(self) -> None:
        """
        When no instance can be started here, one is started elsewhere at once.
        """
        self.here.failure = "no room"
        peer = await self.connect()
        peer.write(get())
        self.assertEqual((await peer.answer()).body, b"there")
        self.assertEqual(len(self.here.orders), 1)


class SpilloverByNodesTests(SpilloverTests):
    """
    Tests of several spawners for a route, with nodes.
    """

    spawner_type = NodeSpawner
