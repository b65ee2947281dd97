"""
Tests of held clients: which answers they get, and how much is read from them.
"""

from __future__ import annotations

from hashlib import md5

from twisted.internet.task import deferLater

from brxy.edge.config.limits import Limits
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner, TestSpawner

GET = b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n"

#: One instance that takes one exchange at a time.
SINGLE = {"max_instances": 1, "capacity": 1}


@onBothTransports
class HeldTests(EdgeTests):
    """
    Tests of requests for which there is no instance yet.
    """

    def launchCold(self, app: App, **settings: object) -> TestSpawner:
        """
        Start an edge whose one instance does not start before C{release}.
        """
        spawner = self.launch(app, SINGLE, **settings)
        spawner.holding = True
        return spawner

    async def hold(self, data: bytes) -> Peer:
        """
        Have a client whose request is held.
        """
        peer = await self.connect()
        peer.write(data)
        await self.untilRead()
        return peer

    async def test_full(self) -> None:
        """
        When the limit of held clients is reached, the next client gets 503 at
        once and keeps its connection. A held client that leaves makes room.
        """
        app = webApp(answer())
        spawner = self.launchCold(app, limits=Limits(max_held=2))
        first, second = await self.hold(GET % b"/1"), await self.hold(GET % b"/2")
        late = await self.connect()
        late.write(GET % b"/3")
        reply = await late.answer()
        self.assertEqual((reply.status, reply[b"retry-after"]), (503, b"1"))
        first.end()
        await first.untilLost()
        late.write(GET % b"/4")
        await self.untilRead()
        spawner.release()
        self.assertEqual((await second.answer()).status, 200)
        self.assertEqual((await late.answer()).status, 200)
        self.assertEqual(app.targets(), [b"/2", b"/4"])

    async def test_tooLong(self) -> None:
        """
        A request that is held too long gets 503, and is never offered to an
        instance.
        """
        app = webApp(answer())
        spawner = self.launchCold(app, hold_timeout=0.05)
        peer = await self.connect()
        peer.write(GET % b"/late")
        self.assertEqual((await peer.answer()).status, 503)
        spawner.release()
        await self.untilReady()
        reply = None
        while reply is None or reply.status == 503:
            # The request is held for a moment if the app has not finished the one before.
            peer.write(GET % b"/")
            reply = await peer.answer()
        self.assertEqual(reply.status, 200)
        self.assertEqual(app.targets()[-1:], [b"/"])
        self.assertNotIn(b"/late", app.targets())

    async def untilReady(self) -> None:
        """
        Wait until an instance serves.
        """
        while (await self.ask(GET % b"/probe")).status != 200:
            await self.soon()

    async def test_cantStart(self) -> None:
        """
        When nothing can be started, all held clients get 503 with the time
        after which to try again.
        """
        app = webApp(answer())
        spawner = self.launchCold(app)
        peers = [await self.hold(GET % b"/") for _ in range(3)]
        spawner.instances[0].end("exit status 1")
        for peer in peers:
            reply = await peer.answer()
            self.assertEqual((reply.status, reply[b"retry-after"]), (503, b"1"))
        reply = await self.ask(GET % b"/")
        self.assertEqual((reply.status, reply[b"retry-after"]), (503, b"1"))
        self.assertEqual(len(spawner.orders), 1)

    async def test_spawnFails(self) -> None:
        """
        When the spawner reports a failure at once, all held clients get 503
        with the time after which to try again.
        """
        spawner = self.launch(webApp(answer()))
        spawner.failure = "no such executable"
        reply = await self.ask(GET % b"/")
        self.assertEqual((reply.status, reply[b"retry-after"]), (503, b"1"))
        self.assertNotIn(b"executable", reply.body)

    async def test_post(self) -> None:
        """
        A POST is held with its body, and is sent whole once there is an
        instance.
        """
        app = webApp(answer())
        spawner = self.launchCold(app)
        body = bytes(range(256)) * 100
        peer = await self.hold(POST % (b"/", len(body)) + body)
        spawner.release()
        self.assertEqual((await peer.answer()).status, 200)
        self.assertEqual(app.requests[0].body, body)

    async def test_largePost(self) -> None:
        """
        Only the beginning of a large POST is read while it is held. All of it
        is passed on later.
        """
        size = 48 << 20
        seen = md5()

        async def serve(peer: Peer) -> None:
            await peer.head()
            for _ in range(size >> 16):
                seen.update(await peer.take(1 << 16))
                # Bytes that were checked need not be kept.
                peer.forget()
            peer.write(answer())

        spawner = self.launchCold(App(serve))
        peer = await self.connect()
        piece = bytes(range(256)) * 256
        peer.write(POST % (b"/", size))
        sending = self.begin(peer.send(piece, size >> 16))
        await self.until(lambda: spawner.orders and peer.full)
        # If the edge kept reading, the client would not stop here.
        sent = 0
        while sent != peer.sent:
            sent = peer.sent
            await deferLater(self.reactor, 0.1)
        self.assertLess(sent, size // 2)
        spawner.release()
        self.assertEqual((await peer.answer()).status, 200)
        await sending
        self.assertEqual(seen.hexdigest(), md5(piece * (size >> 16)).hexdigest())


@onBothTransports
class HeldTwoHopsTests(HeldTests):
    """
    Tests of held requests, with a node between edge and app.
    """

    spawner_type = NodeSpawner
