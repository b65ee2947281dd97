"""
Tests of apps that break connections: which requests are offered again, and
what the client gets.
"""

from __future__ import annotations

from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Peer, answer
from brxy.test.support.loopback.spawning import NodeSpawner

GET = b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"


def breaker(times: int, before: bytes = b"", reset: bool = False) -> App:
    """
    An app that breaks this many connections, and then serves well.

    @param before: the part of its response that it sends before.
    @param reset: break them by a reset.
    """

    async def serve(peer: Peer) -> None:
        while True:
            request = await peer.request()
            app.requests.append(request)
            if len(app.requests) > times:
                peer.write(answer(request.body))
                continue
            if before:
                peer.write(before)
            if reset:
                peer.abort()
            else:
                peer.close()
            return

    app = App(serve)
    return app


@onBothTransports
class OfferedAgainTests(EdgeTests):
    """
    Tests of requests that get lost: some are offered again, some never.
    """

    async def test_get(self) -> None:
        """
        A GET is offered again, and the client notices nothing.
        """
        for reset in (False, True):
            app = breaker(3, reset=reset)
            self.launch(app)
            reply = await self.ask(GET % b"/x")
            self.assertEqual((reply.status, app.targets()), (200, [b"/x"] * 4))

    async def test_tooOften(self) -> None:
        """
        A request is offered again at most C{--retries} times. Then the client
        gets 502.
        """
        for retries in (3, 1, 0):
            app = breaker(10)
            self.launch(app, retries=retries)
            self.assertEqual((await self.ask(GET % b"/")).status, 502)
            self.assertEqual(len(app.requests), retries + 1)

    async def test_put(self) -> None:
        """
        A PUT is sent again with its body.
        """
        app = breaker(2)
        self.launch(app)
        reply = await self.ask((POST % b"/").replace(b"POST", b"PUT"))
        self.assertEqual((reply.body, len(app.requests)), (b"hello", 3))
        self.assertEqual([request.body for request in app.requests], [b"hello"] * 3)

    async def test_longPut(self) -> None:
        """
        A PUT is not sent again if it is longer than what the edge keeps of it.
        """
        app = breaker(1)
        self.launch(app)
        head = b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n"
        self.assertEqual((await self.ask(head + b"x" * 100_000)).status, 502)
        self.assertEqual(len(app.requests), 1)
        self.assertEqual(len((await self.ask(head + b"x" * 100_000)).body), 100_000)

    async def test_post(self) -> None:
        """
        A POST that an app may have seen is never sent again, in whatever way
        the connection broke.
        """
        for reset in (False, True):
            app = breaker(1, reset=reset)
            self.launch(app)
            self.assertEqual((await self.ask(POST % b"/")).status, 502)
            self.assertEqual(len(app.requests), 1)
            self.assertEqual((await self.ask(POST % b"/")).body, b"hello")
            self.assertEqual(len(app.requests), 2)

    async def test_answered(self) -> None:
        """
        A GET is not sent again if a part of the response was passed on, even
        an interim response.
        """
        app = breaker(1, b"HTTP/1.1 103 Early Hints\r\n\r\n")
        self.launch(app)
        peer = await self.connect()
        peer.write(GET % b"/")
        self.assertEqual([(await peer.answer()).status for _ in range(2)], [103, 502])
        self.assertEqual(len(app.requests), 1)

    async def test_partOfHead(self) -> None:
        """
        The beginning of a head that broke off is dropped.
        """
        app = breaker(1, answer(b"bad")[:20])
        self.launch(app)
        reply = await self.ask(GET % b"/")
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(len(app.requests), 2)

    async def test_order(self) -> None:
        """
        A request that is offered again goes before those that came later.
        """
        app = breaker(1)
        spawner = self.launch(app)
        spawner.holding = True
        peers = [await self.connect() for _ in range(3)]
        for number, peer in enumerate(peers):
            peer.write(GET % (b"/%d" % number))
            while len(spawner.orders) <= number:
                await self.soon()
        spawner.instances[0].start()
        for peer in peers:
            self.assertEqual((await peer.answer()).status, 200)
        self.assertEqual(app.targets(), [b"/0", b"/0", b"/1", b"/2"])


@onBothTransports
class OfferedAgainTwoHopsTests(OfferedAgainTests):
    """
    Tests of requests that get lost, with a node between edge and app.
    """

    spawner_type = NodeSpawner
