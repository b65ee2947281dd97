"""
Tests of the records of exchanges, on an edge.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.records.record import CLIENT_GONE, LOST, Record
from brxy.edge.records.records import BATCH, PAUSE, Records
from brxy.interfaces import Address, SpawnOrder
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Message, Peer, answer, echo, webApp
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.values.networks import Networks


async def _silent(peer: Peer) -> None:
    await peer.untilEnd()


HERE = Networks(["127.0.0.0/8"])


class BatchTests(SynchronousTestCase):
    """
    Tests of L{Records}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.records = Records(self.clock, lambda route: True)
        self.batches: list[list[float]] = []
        self.records.observe([lambda found: self.batches.append([each.arrived for each in found])])

    def end(self, *times: float) -> None:
        """
        End some exchanges.
        """
        for time in times:
            self.records.ended(Record("r", None, "", "http", time))

    def test_pause(self) -> None:
        """
        Records wait for others, but not for long.
        """
        self.end(1.0)
        self.clock.advance(PAUSE / 2)
        self.end(2.0)
        self.assertEqual(self.batches, [])
        self.clock.advance(PAUSE / 2)
        self.assertEqual(self.batches, [[1.0, 2.0]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_full(self) -> None:
        """
        A full batch does not wait, nor does one that is asked for; none is empty.
        """
        times = [float(each) for each in range(BATCH)]
        self.end(*times)
        self.assertEqual(self.batches, [times])
        self.end(100.0)
        self.records.flush()
        self.clock.advance(PAUSE)
        self.assertEqual(self.batches, [times, [100.0]])

    def test_stop(self) -> None:
        """
        At the end nothing waits any more, and no timer is left.
        """
        self.end(1.0)
        self.records.stop()
        self.end(2.0)
        self.assertEqual(self.batches, [[1.0], [2.0]])
        self.assertEqual(self.clock.getDelayedCalls(), [])


@onBothTransports
class RecordTests(EdgeTests):
    """
    Tests of an edge whose exchanges are recorded.
    """

    def serve(self, app: App, **settings: Any) -> None:
        """
        Start an edge before an app, and observe it.
        """
        self.records: list[Record] = []
        self.launch(app, **settings)
        self.edge.parts.dispatch.records.observe([self.records.extend])

    async def get(self, request: bytes, peer: Peer | None = None) -> Message:
        """
        Send a request, on a connection of its own if there is none.
        """
        client = peer or await self.connect()
        client.write(request)
        return await client.answer(request.partition(b" ")[0])

    async def test_coldAndWarm(self) -> None:
        """
        The first request of a route is a cold start with its times; the next one is not held.
        """
        self.serve(webApp(answer(b"hello")))
        client = await self.connect()
        post = b"POST /x?y HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabc"
        await self.get(post, client)
        await self.get(b"GET / HTTP/1.0\r\nHost: a\r\nX-Request-ID: mine\r\n\r\n", client)
        await self.untilRecords(2)
        cold, warm = self.records
        self.assertEqual(
            (cold.route, cold.host, cold.method, cold.path, cold.version, cold.tls),
            ("a", "a:80", "POST", "/x?y", "1.1", False),
        )
        self.assertEqual((cold.status, cold.bytes_in, cold.bytes_out), (200, 3, 5))
        self.assertEqual((cold.start, cold.error, cold.client), ("cold", "", "127.0.0.1"))
        assert cold.held_at is not None
        assert cold.matched is not None
        assert cold.first_byte is not None
        times = [cold.arrived, cold.held_at, cold.matched, cold.first_byte, cold.ended]
        self.assertEqual(times, sorted(times))
        self.assertLessEqual((cold.order or 0) + (cold.boot or 0), cold.hold + 0.001)
        self.assertIsNotNone(cold.boot)
        self.assertEqual((warm.start, warm.version, warm.status), ("warm", "1.0", 200))
        self.assertEqual((warm.hold, warm.boot, warm.request_id), (0.0, None, b"mine"))
        self.assertEqual((warm.ticket, warm.spawn), (cold.ticket, "spawner"))
        self.assertTrue(cold.request_id)

    async def test_queued(self) -> None:
        """
        A request that is held while the only instance is busy was queued.
        """
        app = App(_silent)
        self.serve(app, rule={"max_instances": 1})
        first, second = await self.connect(), await self.connect()
        first.write(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        await self.untilOpen(app)
        second.write(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        # This takes a bad request.
        await self.untilRead()
        first.abort()
        await self.untilRecords(2)
        second.abort()
        await self.untilRecords(3)
        gone, queued = (each for each in self.records if each.path)
        self.assertEqual((gone.path, gone.status, gone.error), ("/1", 499, CLIENT_GONE))
        self.assertEqual((queued.path, queued.start), ("/2", "queued"))

    async def untilOpen(self, app: App) -> None:
        """
        Wait until an app has a connection.
        """
        while not app.open:
            await self.soon()

    async def untilRecords(self, count: int) -> None:
        """
        Wait for a number of records.
        """
        records = self.edge.parts.dispatch.records
        records.flush()
        while len(self.records) < count:
            await self.soon()
            records.flush()

    async def test_fates(self) -> None:
        """
        What became of each offer that the app did not serve is recorded.
        """

        async def respond(request: Message, peer: Peer) -> None:
            if len(app.requests) in (1, 3):
                peer.abort()
            else:
                peer.write(answer())

        app = webApp(respond)
        self.serve(app, retries=1)
        first = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1"
        second = await self.get(post)
        self.assertEqual((first.status, second.status), (200, 502))
        await self.untilRecords(2)
        found = [(each.offers, each.fates) for each in self.records]
        self.assertEqual(found, [(2, (LOST,)), (1, (LOST,))])

    async def test_refused(self) -> None:
        """
        What the edge answers itself is recorded: a route without an app, a head that can't be
        read, a client that is held for too long.
        """

        def find(order: SpawnOrder) -> Address:
            return Address("127.0.0.1", 1)

        self.records = []
        self.launch(find, routes=["a"], hold_timeout=0.05)
        self.edge.parts.dispatch.records.observe([self.records.extend])
        await self.get(b"GET /1 HTTP/1.1\r\nHost: other\r\n\r\n")
        await self.get(b"NO\r\n\r\n")
        await self.get(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
        await self.untilRecords(3)
        self.assertEqual([each.status for each in self.records], [404, 400, 503])
        self.assertEqual(
            [each.error for each in self.records],
            ["no such app", "malformed request line", "no instance became free in time"],
        )
        self.assertEqual([each.path for each in self.records], ["/1", "", "/3"])
        held = self.records[2]
        self.assertEqual((held.start, held.matched), ("cold", None))
        self.assertGreaterEqual(held.hold, 0.05)

    async def test_tcp(self) -> None:
        """
        A TCP connection is an exchange, with all its bytes.
        """
        self.serve(App(echo), frontends=[("t", LOOPBACK)], ports=[])
        client = await self.connect()
        client.write(b"hello")
        await client.take(5)
        client.end()
        await self.untilRecords(1)
        (record,) = self.records
        self.assertEqual((record.route, record.scheme, record.start), ("t", "tcp", "cold"))
        self.assertEqual((record.bytes_in, record.bytes_out, record.status), (5, 5, 0))
        self.assertEqual((record.method, record.host, record.error), ("", "", ""))
        self.assertIsNotNone(record.first_byte)

    async def test_moved(self) -> None:
        """
        The bytes of a body that the kernel moves are counted.
        """
        self.serve(webApp(answer(bytes(3_000_000))))
        reply = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(len(reply.body), 3_000_000)
        await self.untilRecords(1)
        self.assertEqual(self.records[0].bytes_out, 3_000_000)

    # Receipts

    async def test_receipts(self) -> None:
        """
        Each response has a receipt if that is wanted, next to what the app says itself; its
        X-Request-ID as well, unless the app sends it.
        """
        app = webApp(answer(fields=[b"Server-Timing: db;dur=5", b"X-Request-ID: own"]))
        self.launch(app, receipts=True, request_ids=True)
        client = await self.connect()
        cold = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", client)
        own, ours = cold.values(b"server-timing")
        self.assertEqual(own, b"db;dur=5")
        numbers = rb"brxy-hold;dur=[0-9.]+, brxy-order;dur=[0-9.]+, brxy-boot;dur=[0-9.]+, "
        self.assertRegex(ours, numbers + rb"brxy-app;dur=[0-9.]+")
        self.assertEqual(cold.values(b"x-brxy-start"), [b"cold"])
        self.assertEqual(cold.values(b"x-request-id"), [b"own"])
        warm = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", client)
        self.assertRegex(warm.values(b"server-timing")[1], rb"^brxy-hold;dur=0.0, brxy-app;dur=")
        self.assertEqual(warm.values(b"x-brxy-start"), [b"warm"])

    async def test_requestID(self) -> None:
        """
        Responses have the X-Request-ID that the app got, and so have the edge's own.
        """
        app = webApp(answer())
        self.launch(app, request_ids=True, routes=["a"])
        mine = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\n\r\n")
        self.assertEqual(mine.values(b"x-request-id"), [b"mine"])
        self.assertEqual(mine.values(b"x-brxy-start"), [])
        refused = await self.get(b"GET / HTTP/1.1\r\nHost: b\r\nX-Request-ID: two\r\n\r\n")
        self.assertEqual((refused.status, refused.values(b"x-request-id")), (404, [b"two"]))
        made = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(made.values(b"x-request-id")[0])

    async def test_trusted(self) -> None:
        """
        A trusted proxy gets a receipt of a cold start, whatever is recorded, and none of a
        warm one; others get none.
        """
        self.launch(webApp(answer()), forwarded_trust=HERE)
        cold = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        warm = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(cold.values(b"x-brxy-start"), [b"cold"])
        self.assertEqual(warm.values(b"x-brxy-start"), [])
        self.assertEqual(warm.values(b"server-timing"), [])

    async def test_untrusted(self) -> None:
        """
        A client that is not trusted gets no receipt, even of a cold start.
        """
        self.launch(webApp(answer()))
        cold = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((cold.values(b"x-brxy-start"), cold.values(b"server-timing")), ([], []))

    async def test_twoEdges(self) -> None:
        """
        The receipt of another edge before the app stands alone.
        """
        inner = [b"Server-Timing: brxy-hold;dur=1.0", b"X-Brxy-Start: queued"]
        self.launch(webApp(answer(fields=inner)), receipts=True)
        reply = await self.get(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(reply.values(b"x-brxy-start"), [b"queued"])
        self.assertEqual(len(reply.values(b"server-timing")), 1)


class NodeRecordTests(RecordTests):
    """
    The same with a node between edge and app.
    """

    spawner_type = NodeSpawner
