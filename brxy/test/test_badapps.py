"""
Apps that answer badly, or break off: what the client gets then, and what is
offered again.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater

from brxy.test.edges import EdgeTests, onBothTransports
from brxy.test.peers import App, Broken, Message, Peer, answer, webApp
from brxy.test.spawning import NodeSpawner

GET = b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"


def breaker(times: int, before: bytes = b"", reset: bool = False) -> App:
    """
    An app that breaks off so many times, and then serves well.

    @param before: what it sends of its answer before.
    @param reset: it does so by a reset.
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
class BadResponseTests(EdgeTests):
    """
    Tests of responses that can't be passed on.
    """

    async def test_head(self) -> None:
        """
        What is no head of a response: 502, and the app's connection is not
        used again.
        """
        reply = b""

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(reply)

        app = webApp(respond)
        self.launch(app)
        peer = await self.connect()
        ok = b"HTTP/1.1 200 OK\r\n"
        bad = (
            b"garbage\r\n\r\n",
            b"\x00" * 100,
            ok + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ok + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            ok + b"Content-Length: -1\r\n\r\n",
            ok + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
            ok + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
            ok + b"X: y\r\n" * 2000 + b"\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + answer(),
        )
        for number, reply in enumerate(bad):  # noqa: B007
            peer.write(GET % b"/")
            got = await peer.answer()
            while got.status == 100:
                got = await peer.answer()
            self.assertEqual(got.status, 502, bad[number][:80])
            await app.peers[number].untilLost()
        self.assertEqual(len(app.requests), len(bad))
        self.assertLess(peer.received.count(b" 100 Continue"), 40)
        reply = answer(b"good")
        peer.write(GET % b"/")
        self.assertEqual((await peer.answer()).body, b"good")

    async def test_tooLong(self) -> None:
        """
        More bytes than the length says are cut off, in the same piece or in
        one of its own, and the app's connection is not used again.
        """

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/together":
                peer.write(answer(b"whole"), b"HTTP/1.1 200 OK\r\n")
            else:
                peer.write(answer(b"whole"))
                await self.until(lambda: client.received.count(b"whole") == 2)
                peer.write(b"more")

        app = webApp(respond)
        self.launch(app)
        client = await self.connect()
        for number, target in enumerate((b"/together", b"/later")):
            client.write(GET % target)
            self.assertEqual((await client.answer()).body, b"whole")
            await app.peers[number].untilLost()
        client.write(GET % b"/together")
        self.assertEqual((await client.answer()).body, b"whole")
        self.assertEqual(len(app.peers), 3)

    async def test_tooShort(self) -> None:
        """
        Fewer bytes than the length says: the client's connection breaks.
        """
        await self._breaks(breaker(1, answer(b"x" * 100)[:-50]), b"x" * 50)

    async def test_lastChunkMissing(self) -> None:
        """
        So it does when the last chunk is missing.
        """
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        await self._breaks(breaker(1, head + b"3\r\nabc\r\n"), b"3\r\nabc\r\n")

    async def test_badChunk(self) -> None:
        """
        And for a chunk that is none, behind a good one.
        """

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await client.until(lambda: b"abc" in client.received)
            peer.write(b"0x3\r\nabc\r\n0\r\n\r\n")

        app = webApp(respond)
        self.launch(app)
        client = await self.connect()
        client.write(GET % b"/")
        await client.untilLost()
        self.assertFalse(client.clean)
        self.assertTrue(client.received.endswith(b"\r\n\r\n3\r\nabc\r\n"))
        await app.peers[0].untilLost()

    async def test_resetUntilClose(self) -> None:
        """
        A response that only the end of the connection ends is whole with a
        FIN, and breaks with a reset.
        """
        app = breaker(0)

        async def serve(peer: Peer) -> None:
            app.requests.append(await peer.request())
            peer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
            await client.until(lambda: b"hello" in client.received)
            if len(app.requests) == 1:
                peer.close()
            else:
                peer.abort()

        app.serve_by = serve
        self.launch(app)
        client = await self.connect()
        client.write(GET % b"/")
        reply = await client.answer()
        self.assertEqual((reply.body, reply[b"connection"]), (b"hello", b"close"))
        client = await self.connect()
        client.write(GET % b"/")
        with self.assertRaises(Broken):
            await client.answer()
        self.assertFalse(client.clean)

    async def _breaks(self, app: App, end: bytes) -> None:
        """
        An answer breaks off: the client gets what there was, and then a reset;
        nothing is offered again.
        """
        self.launch(app)
        client = await self.connect()
        client.write(GET % b"/")
        await client.untilLost()
        assert client.lost is not None
        self.assertIsNone(client.lost.check(ConnectionDone))
        self.assertTrue(client.received.endswith(end) or not client.received)
        self.assertEqual(len(app.requests), 1)
        self.assertEqual((await self.ask(GET % b"/")).status, 200)

    async def test_silent(self) -> None:
        """
        With a limit on it, an app that does not answer in time: 504, and its
        connection is gone.  Time after the head does not count.
        """
        limit = 0.2

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/slow":
                peer.write(answer(b"slow")[:-1])
                await deferLater(self.reactor, 3 * limit)
                peer.write(b"w")

        app = webApp(respond)
        self.launch(app, response_timeout=limit)
        self.assertEqual((await self.ask(POST % b"/")).status, 504)
        await app.peers[0].untilLost()
        self.assertEqual((await self.ask(GET % b"/slow")).body, b"slow")


@onBothTransports
class OfferedAgainTests(EdgeTests):
    """
    Tests of requests that get lost: some are offered again, some never.
    """

    async def test_get(self) -> None:
        """
        A GET is offered again, and the client sees nothing of it.
        """
        for reset in (False, True):
            app = breaker(3, reset=reset)
            self.launch(app)
            reply = await self.ask(GET % b"/x")
            self.assertEqual((reply.status, app.targets()), (200, [b"/x"] * 4))

    async def test_tooOften(self) -> None:
        """
        At most C{--retries} times; then 502.
        """
        for retries in (3, 1, 0):
            app = breaker(10)
            self.launch(app, retries=retries)
            self.assertEqual((await self.ask(GET % b"/")).status, 502)
            self.assertEqual(len(app.requests), retries + 1)

    async def test_put(self) -> None:
        """
        A PUT goes again with its body.
        """
        app = breaker(2)
        self.launch(app)
        reply = await self.ask((POST % b"/").replace(b"POST", b"PUT"))
        self.assertEqual((reply.body, len(app.requests)), (b"hello", 3))
        self.assertEqual([request.body for request in app.requests], [b"hello"] * 3)

    async def test_longPut(self) -> None:
        """
        But not if it is longer than what is kept of it.
        """
        app = breaker(1)
        self.launch(app)
        head = b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n"
        self.assertEqual((await self.ask(head + b"x" * 100_000)).status, 502)
        self.assertEqual(len(app.requests), 1)
        self.assertEqual(len((await self.ask(head + b"x" * 100_000)).body), 100_000)

    async def test_post(self) -> None:
        """
        A POST that an app may have seen never is, by whatever way it got lost.
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
        Neither is a GET of which a part of the answer has gone out, be it an
        interim response.
        """
        app = breaker(1, b"HTTP/1.1 103 Early Hints\r\n\r\n")
        self.launch(app)
        peer = await self.connect()
        peer.write(GET % b"/")
        self.assertEqual([(await peer.answer()).status for _ in range(2)], [103, 502])
        self.assertEqual(len(app.requests), 1)

    async def test_partOfHead(self) -> None:
        """
        A part of a head that broke off is forgotten.
        """
        app = breaker(1, answer(b"bad")[:20])
        self.launch(app)
        reply = await self.ask(GET % b"/")
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(len(app.requests), 2)

    async def test_order(self) -> None:
        """
        One that is offered again goes before those that came later.
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
class BadResponseTwoHopsTests(BadResponseTests):
    """
    Tests of bad responses, two hops.
    """

    spawner_type = NodeSpawner


@onBothTransports
class OfferedAgainTwoHopsTests(OfferedAgainTests):
    """
    Tests of lost requests, two hops.
    """

    spawner_type = NodeSpawner
